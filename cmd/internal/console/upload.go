package console

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// maxFiles is how many files an upload can have.
	maxFiles = 500
	// maxField is how long a name is, in bytes.
	maxField = 1 << 10
	// uploadTime is how long a deployment may take.
	uploadTime = 5 * time.Minute
)

// uploadPage is what the page of uploads shows.
type uploadPage struct {
	Name, Runtime string
	Runtimes      []string
	Reply         *protocol.DeployReply
	Added         *protocol.Function // a runtime that had to be added first
	Most          protocol.Size
}

// upload shows where to drop files.
func (k *Console) upload(w http.ResponseWriter, r *http.Request) {
	k.showUpload(w, r, http.StatusOK, uploadPage{Name: r.FormValue("name")}, "")
}

// showUpload shows where to drop files, and what came of those that were.
func (k *Console) showUpload(w http.ResponseWriter, r *http.Request, status int, p uploadPage, trouble string) {
	p.Runtimes, p.Most = interpreters.Names(), protocol.DefaultModule
	k.render(w, r, status, "upload", page{Title: "Upload", Section: "upload", Problem: trouble, Data: p})
}

// take deploys what was uploaded, and says what polyvoke deploy would.
func (k *Console) take(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), uploadTime)
	defer cancel()
	dir, err := os.MkdirTemp("", "polyvoke-upload-")
	if err != nil {
		k.fail(w, r, err)
		return
	}
	defer os.RemoveAll(dir)
	u := &uploaded{dir: dir}
	if err = u.receive(r); err == nil {
		err = k.deploy(ctx, u)
	}
	p := uploadPage{Name: u.name, Runtime: u.runtime, Reply: u.reply, Added: u.added}
	if err != nil {
		text := strings.ReplaceAll(problem(err), dir+string(filepath.Separator), "")
		k.showUpload(w, r, max(http.StatusBadRequest, protocol.CodeOf(err)), p, text)
		return
	}
	k.catalog.forget()
	k.showUpload(w, r, http.StatusOK, p, "")
}

// uploaded is what was uploaded, in a folder of its own.
type uploaded struct {
	dir           string
	name, runtime string
	files         []string
	reply         *protocol.DeployReply
	added         *protocol.Function
}

// receive writes the files of a form into the folder.
func (u *uploaded) receive(r *http.Request) error {
	form, err := r.MultipartReader()
	if err != nil {
		return protocol.Errorf(protocol.CodeBadRequest, "", "this is no upload: drop files on the page, or choose some")
	}
	root, err := os.OpenRoot(u.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for {
		p, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF) && len(u.files) == 0:
			return protocol.Errorf(protocol.CodeBadRequest, "", "there is no file: choose a .wasm file or a script")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return uploadError(err)
		}
		if err := u.receivePart(root, p); err != nil {
			return uploadError(err)
		}
	}
}

// uploadError says which of the errors is one of size.
func uploadError(err error) error {
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return protocol.Errorf(protocol.CodeTooLarge, "", "the upload is longer than %s: use polyvoke deploy",
			protocol.Size(large.Limit))
	}
	if protocol.CodeOf(err) != protocol.CodeFailed {
		return err
	}
	return protocol.Errorf(protocol.CodeBadRequest, "", "the upload cannot be read: %v", err)
}

// receivePart takes one part of a form.
func (u *uploaded) receivePart(root *os.Root, p *multipart.Part) error {
	defer p.Close()
	if p.FormName() != "file" {
		b, err := io.ReadAll(io.LimitReader(p, maxField))
		switch p.FormName() {
		case "name":
			u.name = strings.TrimSpace(string(b))
		case "runtime":
			u.runtime = strings.TrimSpace(string(b))
		}
		return err
	}
	// FileName of the part leaves out folders, which a folder that is dropped has.
	_, params, _ := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	name := filepath.FromSlash(strings.ReplaceAll(params["filename"], `\`, "/"))
	if name == "" {
		return nil // a field in which nothing was chosen
	}
	if !filepath.IsLocal(name) || len(name) > maxField || len(u.files) >= maxFiles {
		return protocol.Errorf(protocol.CodeBadRequest, "", "file %.80q: an upload has at most %d files, all in one folder",
			name, maxFiles)
	}
	if dir := filepath.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return protocol.Errorf(protocol.CodeBadRequest, "", "file %.80q: it comes twice, or has no good name", name)
	}
	_, err = io.Copy(f, p)
	u.files = append(u.files, name)
	return errors.Join(err, f.Close())
}

// entry returns what to deploy: the folder of a manifest, or the one file, or the main one of several scripts.
func (u *uploaded) entry() (string, error) {
	slices.SortFunc(u.files, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for _, f := range u.files {
		if filepath.Base(f) == project.ManifestName {
			return f, u.checkManifest(filepath.Join(u.dir, f))
		}
	}
	if len(u.files) == 1 {
		return u.files[0], nil
	}
	return "", protocol.Errorf(protocol.CodeBadRequest, "",
		"these are %d files without a %s that says which is the function: drop one file, or add it with "+
			"script = \"main.py\" or module = \"NAME.wasm\"", len(u.files), project.ManifestName)
}

// checkManifest refuses a manifest that names a file outside of what was uploaded.
func (u *uploaded) checkManifest(path string) error {
	m, err := project.ReadManifest(path, u.name)
	if err != nil {
		return err
	}
	below, err := filepath.Rel(u.dir, m.File())
	if err != nil || !filepath.IsLocal(below) {
		return protocol.Errorf(protocol.CodeRefused, "", "%s names %.80q, which is not among the files",
			project.ManifestName, m.Module+m.Script)
	}
	if _, err := os.Stat(m.File()); errors.Is(err, fs.ErrNotExist) && m.Source != "" {
		return protocol.Errorf(protocol.CodeRefused, "",
			"%.80q is not built: run polyvoke build, and drop the folder again; the console builds nothing", m.Module)
	}
	return nil
}

// deploy reads what was uploaded as polyvoke deploy would, and deploys it.
func (k *Console) deploy(ctx context.Context, u *uploaded) error {
	entry, err := u.entry()
	if err != nil {
		return err
	}
	path := filepath.Join(u.dir, entry)
	src, err := source.Read(path, u.name, u.runtime)
	if unknown := new(source.NoRuntime); errors.As(err, &unknown) && unknown.Ext != "" {
		if name := k.runtimeFor(ctx, unknown.Ext); name != "" {
			src, err = source.Read(path, u.name, name)
		}
	}
	if err != nil {
		return refused(err)
	}
	u.name = src.Function.Name
	if u.added, err = k.Client.AddMissing(ctx, src.Function.Runtime, interpreters.Here().Get); err != nil {
		return err
	}
	reply, err := k.Client.Deploy(ctx, src.Function, src.Code)
	if err != nil {
		return err
	}
	reply.Warnings = append(src.Warnings, reply.Warnings...)
	u.reply = &reply
	return nil
}

// refused gives an error of a file a code.
func refused(err error) error {
	if protocol.CodeOf(err) != protocol.CodeFailed {
		return err
	}
	return protocol.Errorf(protocol.CodeRefused, "", "%v", err)
}

// runtimeFor returns the runtime on NATS that declares an extension, or "" if there is not one.
func (k *Console) runtimeFor(ctx context.Context, ext string) (found string) {
	all, err := k.Client.Runtimes(ctx)
	if err != nil {
		return ""
	}
	for _, f := range all {
		if slices.Contains(strings.Fields(f.Env[interpreters.ExtensionsKey]), ext) {
			if found != "" {
				return ""
			}
			found = f.Name
		}
	}
	return found
}
