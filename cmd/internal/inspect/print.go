package inspect

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// Print prints the report for people.
func (r *Report) Print(w io.Writer, p terminal.Paint) {
	facts := [][2]string{{"size", terminal.Bytes(r.Size)}, {"digest", r.Digest}, {"language", plain(r.Language)}}
	if r.Memory != nil {
		facts = append(facts, [2]string{"memory", r.Memory.String()})
	}
	facts = append(facts, [2]string{"tables", strings.Join(r.Tables, ", ")})
	if r.Analysis != nil {
		facts = append(facts, r.Analysis.facts()...)
	}
	if r.Metering != nil {
		facts = append(facts, [2]string{"metering", r.Metering.String()})
	}
	if r.Optimize != protocol.OptimizeAll {
		facts = append(facts, [2]string{"optimize", fmt.Sprint(r.Optimize)})
	}
	if r.Dispatch != nil {
		facts = append(facts, [2]string{"jumps", r.Dispatch.String()})
	}
	if r.Address != nil {
		facts = append(facts, [2]string{"addresses", r.Address.String()})
	}
	facts = append(facts, [2]string{"custom", r.sections()}, [2]string{"opens", strings.Join(r.Opens, ", ")})
	facts = append(facts, r.running(p)...)
	terminal.Facts(w, p, r.File, facts)
	printItems(w, p, "imports", r.Imports)
	printItems(w, p, "exports", r.Exports)
}

// running says how the module can run.
func (r *Report) running(p terminal.Paint) (facts [][2]string) {
	if a := r.Analysis; a != nil {
		reuse := "a sandbox can be reset"
		if len(a.Obstacles) > 0 {
			reuse = "every call needs a new sandbox: " + strings.Join(a.Obstacles, ", ")
		}
		facts = append(facts, [2]string{"reuse", reuse})
	}
	if r.Start != nil {
		facts = append(facts, [2]string{"start", r.Start.Kind + ": " + r.Start.Reason})
	}
	verdict := "yes, deploy it with polyvoke deploy " + r.File
	if r.Size > r.Limit.Size {
		verdict = fmt.Sprintf("yes, where it is served by polyvoke serve %s: the default is %s",
			r.flag(), protocol.DefaultModule)
	}
	if !r.Runnable {
		verdict = p.Red("no")
	}
	return append(facts, [2]string{"function", verdict})
}

// String returns the memory's size in words.
func (m *Memory) String() string {
	text := binary(m.Min)
	switch {
	case !m.Grows:
		return text + ", does not grow"
	case m.Max > 0:
		return text + ", grows to " + binary(m.Max)
	}
	return text + ", grows as far as its limit lets it"
}

// facts are the lines about what the code can change.
func (a *Analysis) facts() [][2]string {
	var globals, code []string
	for _, g := range []struct {
		n    int
		kind string
	}{{a.Globals.Numbers, "number"}, {a.Globals.Vectors, "vector"}, {a.Globals.References, "reference"}} {
		if g.n > 0 {
			globals = append(globals, terminal.Plural(g.n, g.kind))
		}
	}
	if a.Globals.Imported > 0 {
		globals = append(globals, fmt.Sprintf("%d imported", a.Globals.Imported))
	}
	for _, f := range []struct {
		is   bool
		text string
	}{
		{a.Start, "has a start function"}, {a.TableWrites, "writes tables"}, {a.Drops, "drops segments"},
		{a.Exceptions, "has exceptions"},
	} {
		if f.is {
			code = append(code, f.text)
		}
	}
	return [][2]string{
		{"code", strings.Join(append([]string{terminal.Plural(a.Functions, "function")}, code...), ", ")},
		{"globals", joinOr(globals, "none that is mutable")},
	}
}

// String returns what metering costs in words.
func (m *Metering) String() string {
	share := float64(m.After-m.Before) / float64(max(m.Before, 1)) * 100
	return fmt.Sprintf("%s to %s (%+.1f %%); charges %s and %s",
		terminal.Bytes(int64(m.Before)), terminal.Bytes(int64(m.After)), share, plural(m.Entries, "entry", "entries"),
		terminal.Plural(m.Loops, "loop"))
}

// String returns in words what has become of the jumps.
func (d *Dispatch) String() string {
	return fmt.Sprintf("%d are branches, in %d of %s; %s", d.Jumps, d.Changed,
		terminal.Plural(d.Functions, "function"), terminal.Plural(d.Loops, "loop"))
}

// String returns in words what has become of addresses.
func (a *Address) String() string {
	return fmt.Sprintf("%s of the stack pointer made plain, in %s; %s not come back", terminal.Plural(a.Offsets, "sum"),
		terminal.Plural(a.Functions, "function"), plural(a.Ends, "call does", "calls do"))
}

// sections returns the custom sections and their sizes.
func (r *Report) sections() string {
	var list []string
	for _, s := range r.Custom {
		list = append(list, fmt.Sprintf("%s (%s)", plain(s.Name), terminal.Bytes(int64(s.Size))))
	}
	return strings.Join(list, ", ")
}

// printItems prints imports or exports, if there are any.
func printItems(w io.Writer, p terminal.Paint, title string, items []Item) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(w, "  %s\n", p.Bold(title))
	for _, it := range items {
		name := plain(it.Name)
		if it.Module != "" {
			name = plain(it.Module) + " " + name
		}
		fmt.Fprintf(w, "    %s %s\n", name, p.Dim(strings.TrimSpace(it.Kind+" "+it.Type)))
	}
}

// plain returns a stranger's text such that it can do a terminal no harm.
func plain(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// binary returns a size that is a multiple of 64 KiB.
func binary(n uint64) string {
	if n%(1<<20) == 0 && n > 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// plural returns a number of things that have an irregular plural.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// joinOr joins a list, or says that there is nothing in it.
func joinOr(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}
