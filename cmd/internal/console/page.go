package console

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/polyvoke/polyvoke/protocol"
)

//go:embed pages
var pageFiles embed.FS

// page is what a template is given.
type page struct {
	Title   string
	Section string // which entry of the navigation it belongs to
	Bare    bool   // without the navigation
	Live    string // path of the events that keep it up to date; empty for none
	Notice  string // what has been done
	Problem string // what has gone wrong
	Version string
	Login   bool // there is one to end
	Data    any
}

// pages are the templates, each with the layout, made when they are first needed.
var pages = sync.OnceValue(func() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(words).ParseFS(pageFiles, "pages/layout.html",
		"pages/parts.html"))
	all := map[string]*template.Template{}
	files, _ := pageFiles.ReadDir("pages")
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".html"); name != "layout" && name != "parts" {
			t := template.Must(layout.Clone())
			all[name] = template.Must(t.ParseFS(pageFiles, path.Join("pages", f.Name())))
		}
	}
	return all
})

// part renders one template of a page to text.
func part(page, name string, data any) string {
	var b bytes.Buffer
	if err := pages()[page].ExecuteTemplate(&b, name, data); err != nil {
		return template.HTMLEscapeString(err.Error())
	}
	return b.String()
}

// render answers with a page.
func (k *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Version, p.Login = k.Version, k.Token != "" && !p.Bare
	var b bytes.Buffer
	what := "layout.html"
	if r.Header.Get("X-Fragment") != "" { // our own script wants the inside only
		what = "main"
	}
	if err := pages()[name].ExecuteTemplate(&b, what, p); err != nil {
		k.Log.Error("console: page not made", "page", name, "err", err)
		http.Error(w, "the page could not be made; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // whoever has gone does not read it
}

// fail answers with a page that says what has gone wrong.
func (k *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := protocol.CodeOf(err)
	if code < 400 {
		code = http.StatusInternalServerError
	}
	k.render(w, r, code, "problem", page{Title: http.StatusText(code), Problem: problem(err)})
}

// problem returns what to tell a person about an error. This person may see all of it.
func problem(err error) string { return err.Error() }
