package interpreters

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script/recipe"
)

// Row is what is known about a runtime: whether it can be built, is in this program, in the folder Default, and on
// NATS.
type Row struct {
	Name       string   `json:"name"`
	Language   string   `json:"language"`
	Extensions []string `json:"extensions"`
	Recipe     string   `json:"recipe,omitempty"`   // version that polyvoke runtime build gives
	Embedded   string   `json:"embedded,omitempty"` // version in this program
	Local      string   `json:"local,omitempty"`    // version in the folder Default
	Added      string   `json:"added,omitempty"`    // version on NATS
	Ref        string   `json:"ref,omitempty"`      // NAME@VERSION there
	Size       int64    `json:"size,omitempty"`     // there, in bytes
}

// Rows returns all runtimes: those with a recipe, in this program, in the folder Default, and on NATS; added has the
// last.
func Rows(added []protocol.Function) []*Row {
	var rows []*Row
	row := func(name, language string, extensions []string) *Row {
		if i := slices.IndexFunc(rows, func(r *Row) bool { return r.Name == name }); i >= 0 {
			return rows[i]
		}
		rows = append(rows, &Row{Name: name, Language: language, Extensions: append([]string{}, extensions...)})
		return rows[len(rows)-1]
	}
	for _, i := range recipe.All() {
		row(i.Name, i.Language, i.Extensions).Recipe = i.Version
	}
	for _, i := range Embedded() {
		row(i.Name, i.Language, i.Extensions).Embedded = i.Version
	}
	for _, i := range Here().Folder.List() {
		row(i.Name, i.Language, i.Extensions).Local = i.Version
	}
	for _, f := range added {
		r := row(f.Name, f.Language, strings.Fields(f.Env[ExtensionsKey]))
		r.Added, r.Ref, r.Size = f.Env[VersionKey], f.Ref().String(), f.Size
	}
	return rows
}

// Names returns the names of the runtimes that can be built or are here.
func Names() []string {
	var names []string
	for _, r := range Rows(nil) {
		names = append(names, r.Name)
	}
	return names
}

// ForExtension returns the name of the runtime for files with an extension, such as ".py", or "".
func ForExtension(ext string) string {
	if name := recipe.ForExtension(ext); name != "" || ext == "" || ext == ".wasm" {
		return name
	}
	for _, r := range Rows(nil) {
		if slices.Contains(r.Extensions, ext) {
			return r.Name
		}
	}
	return ""
}

// Table prints runtimes for people.
func Table(w io.Writer, p terminal.Paint, rows []*Row) {
	var cells [][]string
	for _, r := range rows {
		on := r.Added
		if r.Ref != "" {
			on = fmt.Sprintf("%s (%s, %s)", r.Added, r.Ref, terminal.Bytes(r.Size))
		}
		cells = append(cells, []string{r.Name, r.Language, strings.Join(r.Extensions, " "), r.Recipe, r.Embedded,
			r.Local, on})
	}
	terminal.Table(w, p, []string{"NAME", "LANGUAGE", "FILES", "RECIPE", "IN POLYVOKE", "LOCAL", "ON NATS"}, cells)
}

// Added prints which version of a runtime is the newest on NATS now.
func Added(w io.Writer, p terminal.Paint, reply protocol.DeployReply) error {
	f, state := reply.Function, "added"
	if !reply.Created {
		state = "unchanged"
	}
	_, err := fmt.Fprintf(w, "%s %s (%s %s, %s)\n", p.Bold(f.Ref().String()), state, f.Language, f.Env[VersionKey],
		terminal.Bytes(f.Size))
	return err
}
