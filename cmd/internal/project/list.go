package project

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// List prints what functions can be begun in, for people.
func List(w io.Writer, p terminal.Paint) {
	var rows [][]string
	for _, l := range Languages() {
		how := "a script: deployed as it is"
		if l.Compiled() {
			how = "compiled by polyvoke build"
		}
		rows = append(rows, []string{l.Name, l.Title, strings.Join(l.Aliases, ", "), how})
	}
	terminal.Table(w, p, []string{"NAME", "LANGUAGE", "ALSO", "HOW"}, rows)
}

// MarshalJSON implements json.Marshaler: what there is to know about a language before it is used.
func (l Language) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name     string   `json:"name"`
		Title    string   `json:"title"`
		Aliases  []string `json:"aliases"`
		Compiled bool     `json:"compiled"`
	}{l.Name, l.Title, append([]string{}, l.Aliases...), l.Compiled()})
}
