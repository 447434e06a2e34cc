package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed static
var staticFiles embed.FS

// asset is a file that pages load.
type asset struct {
	body []byte
	mark string // changes with its content
}

// assets are all of them, by name.
var assets = sync.OnceValue(func() map[string]asset {
	all := map[string]asset{}
	files, _ := staticFiles.ReadDir("static")
	for _, f := range files {
		b, _ := staticFiles.ReadFile(path.Join("static", f.Name()))
		sum := sha256.Sum256(b)
		all[f.Name()] = asset{b, hex.EncodeToString(sum[:6])}
	}
	return all
})

// assetURL returns where a file is, in a way that changes with its content.
func assetURL(name string) string { return Path + "static/" + name + "?v=" + assets()[name].mark }

// static answers with a file.
func (k *Console) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	a, ok := assets()[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	if strings.Contains(r.URL.RawQuery, a.mark) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(a.body)
}
