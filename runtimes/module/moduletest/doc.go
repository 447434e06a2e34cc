// Package moduletest judges package module, and those below it, with the engine and its corpora. It has tests only.
package moduletest
