package samples

import "embed"

//go:embed chat/c/chat.wasm chat/c/polyvoke.toml
var chat embed.FS

// Chat returns a chat, in C: a function whose clients come by WebSocket. The caller owns it.
func Chat() Step {
	return Step{Name: "chat", Language: "C", Manifest: read(chat, "chat/c/polyvoke.toml"), Wasm: read(chat, "chat/c/chat.wasm")}
}
