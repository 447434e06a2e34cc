package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// languagePage is what the page of one language shows.
type languagePage struct {
	project.Language
	Source  string // of the sample
	Runtime *interpreters.Row
	Used    []protocol.Function // functions in it
}

// languages shows in what functions can be written.
func (k *Console) languages(w http.ResponseWriter, r *http.Request) {
	k.render(w, r, http.StatusOK, "languages", page{Title: "Languages", Section: "languages", Data: project.Languages()})
}

// language shows what a function in one language can use, and how to begin one.
func (k *Console) language(w http.ResponseWriter, r *http.Request) {
	l, err := project.Find(r.PathValue("name"))
	if err != nil {
		k.fail(w, r, protocol.Errorf(protocol.CodeNotFound, "", "%v", err))
		return
	}
	p := languagePage{Language: l}
	if sources, _, err := samples.Template(l.Name); err == nil {
		p.Source = string(sources[l.Main])
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	added, _ := k.Client.Runtimes(ctx) // without them the page says what is here
	if !l.Compiled() {
		p.Runtime = runtimeOf(l, interpreters.Rows(added))
	}
	list, _ := k.catalog.get(ctx)
	for _, f := range list.Functions {
		runs, _, _ := strings.Cut(f.Runtime, "@")
		if strings.EqualFold(f.Language, l.Title) || p.Runtime != nil && runs == p.Runtime.Name {
			p.Used = append(p.Used, f)
		}
	}
	k.render(w, r, http.StatusOK, "language", page{Title: l.Title, Section: "languages", Data: p})
}

// runtimeOf returns what runs scripts of a language, or nil if that is not known.
func runtimeOf(l project.Language, rows []*interpreters.Row) *interpreters.Row {
	i := slices.IndexFunc(rows, func(r *interpreters.Row) bool { return r.Name == l.Runtime })
	if i < 0 {
		ext := l.Main[strings.LastIndexByte(l.Main, '.'):]
		i = slices.IndexFunc(rows, func(r *interpreters.Row) bool { return slices.Contains(r.Extensions, ext) })
	}
	if i < 0 {
		return nil
	}
	return rows[i]
}
