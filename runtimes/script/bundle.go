package script

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// The files of a bundle.
const (
	infoFile     = "runtime.json"
	moduleFile   = "runtime.wasm"
	libraryFiles = "files" // a folder, the interpreter's /runtime
)

// MaxBundle is how large a bundle may be, packed, in bytes. Unpacked it may be four times that, and 32 MiB with 32
// times what it is packed.
const MaxBundle = 128 << 20

func bundleLimits() limits { return limits{files: 20_000, bytes: 4 * MaxBundle} }

// entryWord stands for the path of the script in arguments.
const entryWord = "{entry}"

// Info says how an interpreter is used. It is the file runtime.json of a bundle.
type Info struct {
	// Name is what functions call the interpreter: lower-case letters, digits and dashes.
	Name string `json:"name"`
	// Version is the interpreter's own.
	Version string `json:"version"`
	// Language is what it runs, for people.
	Language string `json:"language"`
	// Extensions are those of its scripts, each with its dot.
	Extensions []string `json:"extensions,omitempty"`
	// Args come before a call's own arguments, in place of the function's name; {entry} in one is the
	// absolute path of the script. Nil means that argv is that of a call.
	Args []string `json:"args,omitempty"`
	// Check is argv of a run that only checks the script: it exits with 0, or says what is wrong on stderr. Nil means
	// argv of a call without arguments; the interpreter then knows by the file .polyvoke/check in /script.
	Check []string `json:"check,omitempty"`
	// Env comes before the function's own environment.
	Env map[string]string `json:"env,omitempty"`
	// Start is "checkpoint" if processes renew, after they first read stdin, what they drew of time and entropy
	// before; else empty.
	Start string `json:"start,omitempty"`
	// Memory is the memory limit in bytes of functions whose manifest names none. 0 means the default.
	Memory uint64 `json:"memory,omitempty"`
	// Compile translates scripts, if the interpreter runs another language than they are written in.
	Compile *Stage `json:"compile,omitempty"`
}

// Stage is a WASI program that gets a script as /script and writes the translated one, as an archive, to stdout. It
// exits with another code than 0 if it cannot, and says on stderr what is wrong.
type Stage struct {
	Module string `json:"module"` // its file in the bundle
}

// Bundle is an interpreter.
type Bundle struct {
	Info
	module   []byte // what runs scripts
	compiler []byte // what translates them; nil if nothing does
	files    tree   // its /runtime; nil if it has none
}

// PackBundle makes a bundle of a folder: runtime.json, runtime.wasm and, if there is such a folder, files. The
// same files give the same bytes.
func PackBundle(folder fs.FS) ([]byte, error) {
	t, err := readTree(folder, bundleLimits(), func(string, bool) bool { return true })
	if err != nil {
		return nil, err
	}
	if _, err := newBundle(t); err != nil {
		return nil, err
	}
	return t.archive(bundleLimits())
}

// WrapBundle makes a bundle of a module alone.
func WrapBundle(i Info, module []byte) ([]byte, error) {
	text, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	t := tree{infoFile: text, moduleFile: module}
	if _, err := newBundle(t); err != nil {
		return nil, err
	}
	return t.archive(bundleLimits())
}

// ParseBundle reads a bundle, from people who may run interpreters on this machine.
func ParseBundle(b []byte) (*Bundle, error) { return parseBundle(b, all) }

// CheckBundle reads all of a bundle as ParseBundle does, but keeps only what it says about itself.
func CheckBundle(b []byte) (Info, error) {
	r, err := parseBundle(b, func(name string) bool { return name == infoFile })
	if err != nil {
		return Info{}, err
	}
	return r.Info, nil
}

// parseBundle reads a bundle, and keeps the files for which keep says yes.
func parseBundle(b []byte, keep func(name string) bool) (*Bundle, error) {
	if len(b) > MaxBundle {
		return nil, fmt.Errorf("the runtime cannot be read: its %d bytes are more than the %d allowed", len(b), MaxBundle)
	}
	t, err := readArchive(b, bundleLimits(), keep)
	if err != nil {
		return nil, fmt.Errorf("the runtime cannot be read: %w", err)
	}
	return newBundle(t)
}

// ParseInfo reads the runtime.json of a bundle, and nothing else of it.
func ParseInfo(b []byte) (Info, error) {
	var i Info
	z, err := openArchive(b, bundleLimits())
	if err != nil {
		return i, fmt.Errorf("the runtime cannot be read: %w", err)
	}
	at := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == infoFile })
	switch {
	case at < 0:
		err = errors.New("it has no file " + infoFile)
	case z.File[at].UncompressedSize64 > maxInfo:
		err = fmt.Errorf("%s: it is longer than the %d bytes allowed", infoFile, maxInfo)
	default:
		var text []byte
		if text, err = unpack(z.File[at], true); err == nil {
			return i, i.parse(text)
		}
	}
	return i, fmt.Errorf("the runtime cannot be read: %w", err)
}

// maxInfo is how long a runtime.json may be, in bytes.
const maxInfo = 64 << 10

// parse reads a runtime.json.
func (i *Info) parse(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(i); err != nil {
		return fmt.Errorf("the runtime cannot be read: %s: %w", infoFile, err)
	}
	return i.check()
}

// newBundle makes a bundle of unpacked files.
func newBundle(t tree) (*Bundle, error) {
	r := &Bundle{module: t[moduleFile]}
	if err := r.parse(t[infoFile]); err != nil {
		return nil, err
	}
	if r.module == nil {
		return nil, errors.New("the runtime has no file " + moduleFile)
	}
	if r.Compile != nil {
		if r.compiler = t[r.Compile.Module]; r.compiler == nil {
			return nil, fmt.Errorf("the runtime has no file %.200q, which compiles its scripts", r.Compile.Module)
		}
	}
	for name, b := range t {
		if below, ok := strings.CutPrefix(name, libraryFiles+"/"); ok {
			if r.files == nil {
				r.files = tree{}
			}
			r.files[below] = b
		}
	}
	return r, nil
}

var (
	nameForm      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	extensionForm = regexp.MustCompile(`^(\.[a-z0-9]+)+$`)
)

// check refuses what cannot be used.
func (i *Info) check() error {
	switch {
	case !nameForm.MatchString(i.Name):
		return fmt.Errorf("the runtime's name %.80q must be lower-case letters, digits and dashes, at most 32", i.Name)
	case i.Version == "" || i.Language == "":
		return fmt.Errorf("the runtime %s must have a version and a language", i.Name)
	case i.Start != "" && i.Start != "checkpoint":
		return fmt.Errorf("the runtime %s: start = %.80q: use checkpoint, or leave it out", i.Name, i.Start)
	case i.Memory > 4<<30-128<<10:
		return fmt.Errorf("the runtime %s: memory = %d: it is a number of bytes, less than 4 GiB", i.Name, i.Memory)
	case slices.ContainsFunc(i.Extensions, func(e string) bool { return !extensionForm.MatchString(e) }):
		return fmt.Errorf("the runtime %s: extensions look like .py", i.Name)
	}
	for _, a := range slices.Concat(i.Args, i.Check) {
		if strings.ContainsRune(a, 0) {
			return fmt.Errorf("the runtime %s: an argument contains a NUL byte", i.Name)
		}
	}
	for k, v := range i.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(v, 0) {
			return fmt.Errorf("the runtime %s: %.80q cannot be a variable", i.Name, k)
		}
	}
	return nil
}

// expand puts the path of a script into arguments. Nil stays nil.
func expand(args []string, entry string) (out []string) {
	for _, a := range args {
		out = append(out, strings.ReplaceAll(a, entryWord, scriptFolder+"/"+entry))
	}
	return out
}
