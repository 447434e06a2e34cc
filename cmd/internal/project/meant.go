package project

import (
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/protocol/spelling"
)

// synonyms are what other tools call keys.
var synonyms = map[string]string{"environment": "env", "handler": "module", "lang": "language", "mem": "memory",
	"src": "source", "main": "source"}

// meant returns a question about the word that was probably meant, or "" if none is near.
func meant(word string, all []string) string {
	if key := synonyms[strings.ToLower(word)]; slices.Contains(all, key) {
		return "did you mean " + key + "?"
	}
	return spelling.DidYouMean(word, "", all)
}
