package samples

import (
	"embed"
	"io/fs"
)

//go:embed chat/*/chat.wasm chat/js/chat.js chat/*/polyvoke.toml
var chat embed.FS

// A Chat is the chat in one language: a function whose clients come by WebSocket. Rooms are the same for all
// languages, so that clients of one hear those of another.
type Chat struct {
	Step           // without Wasm for a script
	Script  fs.FS  // the files of a script; nil if it is none
	Entry   string // of them, the one to run
	Runtime string // what runs it
}

// Chats returns the chat in C, in Rust and in JavaScript. The caller owns all of it.
func Chats() []Chat {
	compiled := func(name, lang, language string) Chat {
		dir := "chat/" + lang
		return Chat{Step: Step{Name: name, Language: language, Manifest: read(chat, dir+"/polyvoke.toml"),
			Wasm: read(chat, dir+"/chat.wasm")}}
	}
	js, err := fs.Sub(chat, "chat/js")
	if err != nil {
		panic(err) // the name is a constant
	}
	return []Chat{
		compiled("chat", "c", "C"),
		compiled("chat-rust", "rust", "Rust"),
		{Step: Step{Name: "chat-js", Language: "JavaScript", Manifest: read(chat, "chat/js/polyvoke.toml")},
			Script: js, Entry: "chat.js", Runtime: "javascript"},
	}
}
