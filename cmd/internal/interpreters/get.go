package interpreters

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// SumsFile names the files of a release with their SHA-256 digests, as sha256sum(1) writes them.
const SumsFile = "SHA256SUMS"

const (
	// maxSums is how long a list of digests may be, in bytes.
	maxSums = 1 << 20
	// silence is how long a server may take to begin an answer.
	silence = 30 * time.Second
	// download is how long getting a runtime from a URL may take in all.
	download = 15 * time.Minute
	// maxRedirects is how many redirects are followed.
	maxRedirects = 5
)

// releases is where the files of a release are.
const releases = "https://github.com/polyvoke/polyvoke/releases/download/v%s/"

// released and between tell versions of releases from others, which git describe or the Go command make of what lies
// between two of them.
var (
	released = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
	between  = regexp.MustCompile(`-\d+-g[0-9a-f]+$|\d{14}-[0-9a-f]{12}$|-(dev|dirty)$`)
)

// ReleaseURL returns where the runtimes of a version of polyvoke are. The error says what to do if that is no version
// of a release.
func ReleaseURL(version string) (string, error) {
	if !released.MatchString(version) || between.MatchString(version) {
		return "", fmt.Errorf("this polyvoke is version %s, which is no release, so no release has its runtimes: "+
			"name a folder, a URL or a NATS server with --from", version)
	}
	return fmt.Sprintf(releases, version), nil
}

// Getter gets runtimes from elsewhere. Its methods may be called from several goroutines.
type Getter struct {
	// From is where to look: a folder, or a URL of one (http or https), with files NAME.runtime.zip; or such a file
	// itself.
	From string
	// Digest is the SHA-256 digest that the runtime must have, in hexadecimal. Empty means the one in SHA256SUMS beside
	// it, which must be there if From is a URL.
	Digest string
	// Client asks servers. Nil means what the function Client returns.
	Client *http.Client
	// Progress returns a reader of r that shows how much of the total, in bytes, has been read. Nil shows nothing.
	Progress func(r io.Reader, what string, total int64) io.Reader
}

// Get returns the bundle of the runtime that is called name, and where it is from. The bundle has the digest that it
// must have, and is a runtime of that name.
func (g *Getter) Get(ctx context.Context, name string) (bundle []byte, from string, err error) {
	if err := protocol.CheckName(name); err != nil {
		return nil, "", err
	}
	want, err := parseDigest(g.Digest)
	if err != nil {
		return nil, "", err
	}
	if u, ok := webURL(g.From); ok {
		ctx, cancel := context.WithTimeout(ctx, download)
		defer cancel()
		bundle, from, err = g.fromWeb(ctx, u, name, want)
	} else {
		bundle, from, err = fromDisk(g.From, name, want)
	}
	if err == nil {
		err = CheckName(bundle, name)
	}
	if err != nil {
		return nil, "", fmt.Errorf("runtime %s: %w", name, err)
	}
	return bundle, from, nil
}

// CheckName reads all of a bundle and checks that it is the runtime of that name.
func CheckName(bundle []byte, name string) error {
	i, err := script.CheckBundle(bundle)
	if err == nil && i.Name != name {
		err = fmt.Errorf("this is the runtime %s and not %s", i.Name, name)
	}
	return err
}

// webURL reports whether from is a URL that is fetched by HTTP.
func webURL(from string) (*url.URL, bool) {
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, false
	}
	return u, true
}

// parseDigest takes a digest with or without sha256: in front, and returns its 64 hexadecimal digits or "".
func parseDigest(text string) (string, error) {
	d := strings.ToLower(strings.TrimPrefix(text, "sha256:"))
	if d != "" && !digest.MatchString(d) {
		return "", fmt.Errorf("the digest %.80q is not one of SHA-256, which has 64 hexadecimal digits", text)
	}
	return d, nil
}

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// verify checks that a bundle has the digest that it must have, which is known from where.
func verify(bundle []byte, want, where string) error {
	if got := strings.TrimPrefix(protocol.Digest(bundle), "sha256:"); got != want {
		return fmt.Errorf("its digest is %s, but %s says %s: it is damaged or another runtime, and was not kept",
			got, where, want)
	}
	return nil
}

// fromDisk reads a bundle, or NAME.runtime.zip in a folder, or the folder that becomes one.
func fromDisk(from, name, want string) (bundle []byte, file string, err error) {
	info, err := os.Stat(from)
	if err != nil {
		return nil, "", fmt.Errorf("%w: --from takes a folder, a file, or a URL that begins with https://, http:// or "+
			"nats://", err)
	}
	file = from
	if info.IsDir() {
		if _, err := os.Stat(filepath.Join(from, "runtime.json")); err == nil && want == "" {
			bundle, err = script.PackBundle(os.DirFS(from))
			return bundle, from, err
		}
		file = filepath.Join(from, name+suffix)
	}
	if bundle, err = readBundle(file); err != nil {
		return nil, "", err
	}
	where := "--sha256"
	if want == "" {
		where = filepath.Join(filepath.Dir(file), SumsFile)
		sums, err := os.Open(where)
		if errors.Is(err, fs.ErrNotExist) {
			return bundle, file, nil // a file of this machine is trusted
		}
		if err != nil {
			return nil, "", err
		}
		defer sums.Close()
		if want, err = sumOf(sums, filepath.Base(file), where); err != nil {
			return nil, "", err
		}
	}
	return bundle, file, verify(bundle, want, where)
}

// fromWeb fetches a bundle, and before it what its digest must be.
func (g *Getter) fromWeb(ctx context.Context, u *url.URL, name, want string) (bundle []byte, from string, err error) {
	file := u
	if path.Ext(u.Path) != ".zip" {
		file = u.JoinPath(name + suffix)
	}
	where := "--sha256"
	if want == "" {
		sums := file.ResolveReference(&url.URL{Path: SumsFile})
		sums.RawQuery = u.RawQuery
		where = sums.Redacted()
		b, err := g.fetch(ctx, sums, maxSums, "")
		if err != nil {
			return nil, "", fmt.Errorf("%w: a runtime from a URL needs its digest: give it with --sha256, or put %s "+
				"beside it", err, SumsFile)
		}
		if want, err = sumOf(bytes.NewReader(b), path.Base(file.Path), where); err != nil {
			return nil, "", err
		}
	}
	if bundle, err = g.fetch(ctx, file, script.MaxBundle, "getting "+name); err != nil {
		return nil, "", err
	}
	return bundle, file.Redacted(), verify(bundle, want, where)
}

// fetch gets at most that number of bytes. It shows progress if what is not empty.
func (g *Getter) fetch(ctx context.Context, u *url.URL, most int64, what string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "polyvoke")
	resp, err := g.client().Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			return nil, fmt.Errorf("%s cannot be reached: %w", redacted(u.URL), u.Err)
		}
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s is not there (404)", u.Redacted())
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: the server answers %.100q", u.Redacted(), resp.Status)
	case resp.ContentLength > most:
		return nil, fmt.Errorf("%s: its %d bytes are more than the %d MiB allowed",
			u.Redacted(), resp.ContentLength, most>>20)
	}
	body := io.Reader(resp.Body)
	if g.Progress != nil && what != "" && resp.ContentLength > 0 {
		body = g.Progress(body, what, resp.ContentLength)
	}
	b, err := readAll(body, most)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	return b, nil
}

// redacted returns a URL without its password.
func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the server"
	}
	return u.Redacted()
}

// client returns the HTTP client.
func (g *Getter) client() *http.Client {
	if g.Client != nil {
		return g.Client
	}
	return Client()
}

// Client returns an HTTP client that waits 30 s for an answer to begin and follows five redirects, but none from https
// to http.
func Client() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = silence
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("it redirects more than %d times", maxRedirects)
		case via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https":
			return errors.New("it redirects from https to http")
		}
		return nil
	}}
}

// sumOf returns the digest of a file by a list, which is called where.
func sumOf(list io.Reader, file, where string) (string, error) {
	b, err := readAll(list, maxSums)
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	sums, err := ParseSums(b)
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	d := sums[file]
	if d == "" {
		return "", fmt.Errorf("%s does not name %s", where, file)
	}
	return d, nil
}

// ParseSums reads a list of digests as sha256sum(1) writes it, and returns them by the files' names. Folders in front
// of a name are left out. Two digests for one name are an error.
func ParseSums(list []byte) (map[string]string, error) {
	sums := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(list))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		d, name, ok := strings.Cut(line, " ")
		d = strings.ToLower(d)
		name = path.Base(strings.TrimLeft(name, " *"))
		if !ok || !digest.MatchString(d) || name == "." || name == "/" {
			return nil, fmt.Errorf("line %d is not a SHA-256 digest, a blank and a name", n)
		}
		if other := sums[name]; other != "" && other != d {
			return nil, fmt.Errorf("line %d gives %.200q a second digest", n, name)
		}
		sums[name] = d
	}
	return sums, lines.Err()
}
