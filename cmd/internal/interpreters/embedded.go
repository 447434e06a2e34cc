package interpreters

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/script/recipe"
)

// embeddedFiles has what a build step has put in the folder embedded: nothing, where there was none.
//
//go:embed embedded
var embeddedFiles embed.FS

// embeddedFolder is where it is.
const embeddedFolder = "embedded"

// Released returns the names of the runtimes that a released polyvoke has in it.
func Released() []string { return []string{"javascript", "lua"} }

// Embedded returns what is known about the runtimes in this program, sorted by name. A plain go build puts none in.
func Embedded() []script.Info {
	entries, err := embeddedFiles.ReadDir(embeddedFolder)
	if err != nil {
		return nil // there is always a README
	}
	var all []script.Info
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			if b, err := embedded(name); err == nil {
				if i, err := script.ParseInfo(b); err == nil {
					all = append(all, i)
				}
			}
		}
	}
	return all
}

// embedded returns the bundle of a runtime in this program. The error is fs.ErrNotExist in the sense of errors.Is if
// there is none.
func embedded(name string) ([]byte, error) {
	return embeddedFiles.ReadFile(path.Join(embeddedFolder, name+suffix))
}

// Note says that this program has no runtimes in it although a released one has, and what to do. It is empty if it has
// them.
func Note() string {
	have := Embedded()
	var missing []string
	for _, name := range Released() {
		if !slices.ContainsFunc(have, func(i script.Info) bool { return i.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	names := strings.Join(missing, " ")
	return "this polyvoke was built without the runtimes " + strings.Join(missing, " and ") +
		", which a released one has in it: get them with polyvoke runtime get " + names +
		", or build them with polyvoke runtime build " + names
}

// Local has the runtimes of this machine: those in a folder, and those in this program. One in the folder comes before
// one of the same name in the program: somebody has put it there. It implements script.Source, and several goroutines
// may use it.
type Local struct {
	// Folder has those that were built or fetched here. Empty means none.
	Folder Folder
}

var _ script.Source = Local{}

// Here returns the runtimes in the folder Default and in this program. Where there is no such folder, as for a user
// without a home, there are those in this program.
func Here() Local {
	folder, err := Default()
	if err != nil {
		folder = ""
	}
	return Local{Folder: folder}
}

// Get returns the bundle of a runtime. The error is fs.ErrNotExist in the sense of errors.Is if there is none.
func (l Local) Get(name string) ([]byte, error) {
	b, err := l.Folder.Get(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	return embedded(name)
}

// Info returns what is known about the runtime that NAME or NAME@VERSION means: there is one version of each here.
func (l Local) Info(ref string) (script.Info, error) {
	name, _, _ := strings.Cut(ref, "@")
	b, err := l.Get(name)
	if err != nil {
		return script.Info{}, err
	}
	return script.ParseInfo(b)
}

// List returns what is known about the runtimes, sorted by name.
func (l Local) List() []script.Info {
	all := l.Folder.List()
	for _, i := range Embedded() {
		if !slices.ContainsFunc(all, func(o script.Info) bool { return o.Name == i.Name }) {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b script.Info) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Bundle implements script.Source. There is one version of each here, whatever ref asks for.
func (l Local) Bundle(_ context.Context, ref string) (string, func() ([]byte, error), error) {
	name, _, _ := strings.Cut(ref, "@")
	b, err := l.Get(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, protocol.Errorf(protocol.CodeNotFound, "", "there is no runtime %s on this machine: %s",
			name, Remedy(name))
	}
	if err != nil {
		return "", nil, err
	}
	return protocol.Digest(b), func() ([]byte, error) { return b, nil }, nil
}

// Remedy says what to do about a runtime that is not on this machine.
func Remedy(name string) string {
	get := fmt.Sprintf("get it with polyvoke runtime get %s", name)
	if slices.ContainsFunc(recipe.All(), func(i script.Info) bool { return i.Name == name }) {
		get += fmt.Sprintf(", or build it with polyvoke runtime build %s", name)
	}
	if slices.Contains(Released(), name) {
		return get + " (a released polyvoke has it in it; this one was built without)"
	}
	return get
}
