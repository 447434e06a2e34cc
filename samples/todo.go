package samples

import (
	"embed"
	"io/fs"
)

//go:embed todo/js
var todo embed.FS

// Todo returns lists of things to do, in JavaScript, whose pages see each other's changes: the files of the script, of
// which todo.js is to be run, and its manifest. The caller owns the manifest.
func Todo() (script fs.FS, manifest []byte) {
	folder, err := fs.Sub(todo, "todo/js")
	if err != nil {
		panic(err) // its name is a constant here
	}
	return folder, read(todo, "todo/js/polyvoke.toml")
}
