package protocol

import (
	"cmp"
	"slices"
	"strings"
)

// Grant lets a function use something outside of its process, as files. Exactly one of the keys up to SQL is set: it
// says of what kind the grant is. What is not granted does not exist for the process.
type Grant struct {
	KV     string `json:"kv,omitempty"`     // a KV bucket, as /kv/BUCKET/KEY
	Obj    string `json:"obj,omitempty"`    // a bucket of objects, as /obj/BUCKET/NAME
	Fn     string `json:"fn,omitempty"`     // a function, NAME or NAME@VERSION, as /fn/NAME[/ARG...]
	Pub    string `json:"pub,omitempty"`    // a pattern of subjects, as /pub/SUBJECT, with dots or slashes
	Secret string `json:"secret,omitempty"` // a secret, as /secret/NAME
	HTTP   string `json:"http,omitempty"`   // [http://|https://]HOST[:PORT][/PATH...], as /http/HOST[:PORT]/PATH
	Tmp    Size   `json:"tmp,omitempty"`    // room in memory, as /tmp
	SQL    string `json:"sql,omitempty"`    // an SQLite database, as /sql/NAME.db

	Access       string   `json:"access,omitempty"`       // AccessRead (default) or AccessWrite; of kv, obj and sql
	Keys         string   `json:"keys,omitempty"`         // pattern of keys or names, "*" being any characters; of kv and obj. Empty: all
	Create       bool     `json:"create,omitempty"`       // the bucket is made if there is none; of kv, obj and sql
	Atomic       bool     `json:"atomic,omitempty"`       // several keys are written all or not at all; of kv
	Consistent   bool     `json:"consistent,omitempty"`   // reads ask the server, and no cache; of kv
	Serializable bool     `json:"serializable,omitempty"` // what was read must still hold at the commit; of kv
	Methods      []string `json:"methods,omitempty"`      // of http; GET and HEAD if empty
	MaxKeys      int      `json:"max_keys,omitempty"`     // keys or objects in the bucket; of kv and obj. 0: no quota
	MaxBytes     Size     `json:"max_bytes,omitempty"`    // in the bucket, or of a response; of kv, obj, http and sql
	MaxOps       int      `json:"max_ops,omitempty"`      // operations a call that go outside; DefaultMaxOps
}

// Kinds of grants, by the key of the manifest that names them.
const (
	GrantKV     = "kv"
	GrantObj    = "obj"
	GrantFn     = "fn"
	GrantPub    = "pub"
	GrantSecret = "secret"
	GrantHTTP   = "http"
	GrantTmp    = "tmp"
	GrantSQL    = "sql"
)

// Values of Grant.Access.
const (
	AccessRead  = "r"
	AccessWrite = "rw"
)

// Bounds of grants.
const (
	MaxGrants     = 32
	MaxBuckets    = 8       // buckets of kv and obj together: each has a mount of its own
	DefaultMaxOps = 1000    // operations of a call that go outside
	MaxMaxOps     = 100_000 // the most that max_ops can be
	MaxMaxKeys    = 100_000_000
	MaxMaxBytes   = Size(1 << 50) // of a bucket; of a response and a database it is MaxBody
	MaxKeyPattern = 256           // bytes of keys
	MaxTmp        = Size(1 << 30)
	MaxSecret     = 128 // bytes of a secret's name
	MaxMethods    = 16  // of a grant of http
)

// GrantKinds returns the kinds of grants, in the order in which they are told.
func GrantKinds() []string {
	return []string{GrantKV, GrantObj, GrantFn, GrantPub, GrantSecret, GrantHTTP, GrantTmp, GrantSQL}
}

// Kind returns the kind of a grant: the first of its keys that is set, or "".
func (g Grant) Kind() string {
	for _, k := range GrantKinds() {
		if g.Target(k) != "" {
			return k
		}
	}
	return ""
}

// Target returns what a grant names, if it is of a kind, or "".
func (g Grant) Target(kind string) string {
	switch kind {
	case GrantKV:
		return g.KV
	case GrantObj:
		return g.Obj
	case GrantFn:
		return g.Fn
	case GrantPub:
		return g.Pub
	case GrantSecret:
		return g.Secret
	case GrantHTTP:
		return g.HTTP
	case GrantTmp:
		if g.Tmp > 0 {
			return g.Tmp.String()
		}
	case GrantSQL:
		return g.SQL
	}
	return ""
}

// CanWrite reports whether a grant lets the function write.
func (g Grant) CanWrite() bool { return g.Access == AccessWrite }

// Covers reports whether a key, or the name of an object, is one of those that a grant speaks of by Keys.
func (g Grant) Covers(key string) bool { return g.Keys == "" || matchKeys(g.Keys, key) }

// matchKeys reports whether a key matches a pattern in which "*" is any number of any characters.
func matchKeys(pattern, key string) bool {
	for {
		front, rest, star := strings.Cut(pattern, "*")
		if !star {
			return pattern == key
		}
		after, ok := strings.CutPrefix(key, front)
		if !ok {
			return false
		}
		next, _, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(after, rest)
		}
		at := strings.Index(after, next) // the first one leaves the most for what follows
		if at < 0 {
			return false
		}
		pattern, key = rest, after[at:]
	}
}

// overlapKeys reports whether there can be a key that matches both patterns. It takes a step for each pair of bytes.
func overlapKeys(a, b string) bool {
	row := make([]bool, len(b)+1) // whether the rest of a and each rest of b overlap
	for i := len(a); i >= 0; i-- {
		below := row
		row = make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a) && j == len(b):
				row[j] = true
			case i < len(a) && a[i] == '*':
				row[j] = below[j] || j < len(b) && row[j+1]
			case j < len(b) && b[j] == '*':
				row[j] = row[j+1] || i < len(a) && below[j]
			default:
				row[j] = i < len(a) && j < len(b) && a[i] == b[j] && below[j+1]
			}
		}
	}
	return row[0]
}

// Ops returns MaxOps or what it stands for.
func (g Grant) Ops() int { return cmp.Or(g.MaxOps, DefaultMaxOps) }

// String returns what is granted, for people: the kind, what it names, and what may be done with it.
func (g Grant) String() string {
	kind := g.Kind()
	text := kind + " " + g.Target(kind)
	if g.Keys != "" {
		text += "/" + g.Keys
	}
	switch kind {
	case GrantKV, GrantObj, GrantSQL:
		text += " " + cmp.Or(g.Access, AccessRead)
	case GrantHTTP:
		text += " " + strings.Join(g.HTTPMethods(), ",")
	}
	return text
}

// HTTPMethods returns the methods that a grant of http lets a function use: Methods, or GET and HEAD.
func (g Grant) HTTPMethods() []string {
	if len(g.Methods) > 0 {
		return g.Methods
	}
	return []string{"GET", "HEAD"}
}

// Mount returns the folder in which a process sees what is granted: that of the bucket, or that of the kind.
func (g Grant) Mount() string {
	switch kind := g.Kind(); kind {
	case "":
		return ""
	case GrantKV, GrantObj:
		return "/" + kind + "/" + g.Target(kind)
	default:
		return "/" + kind
	}
}

// Mounts returns the folders in which processes of a function see what is granted, sorted, each once.
func (f *Function) Mounts() []string {
	var all []string
	for _, g := range f.Grants {
		all = append(all, g.Mount())
	}
	slices.SortFunc(all, strings.Compare)
	return slices.Compact(all)
}

// plainGrants returns grants as Function.Same compares them: defaults are written out.
func plainGrants(grants []Grant) []Grant {
	all := slices.Concat(grants)
	for i, g := range all {
		switch g.Kind() {
		case GrantKV, GrantObj, GrantSQL:
			all[i].Access = cmp.Or(g.Access, AccessRead)
		case GrantHTTP:
			all[i].Methods = g.HTTPMethods()
		}
		if g.Keys == "*" {
			all[i].Keys = ""
		}
		all[i].MaxOps = g.Ops()
	}
	return all
}

// GrantsPath reports whether a manifest grants what is at a path, such as /kv/stock or /fn/price: whether any of it is
// there for a process. A path that is in none of the folders of grants is granted to nobody.
func (f *Function) GrantsPath(path string) bool {
	kind, name, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return slices.ContainsFunc(f.Grants, func(g Grant) bool { return g.Kind() == kind && g.at(name) })
}

// at reports whether a grant speaks of what has a name in the folder of its kind.
func (g Grant) at(name string) bool {
	first, rest, _ := strings.Cut(name, "/")
	switch kind := g.Kind(); kind {
	case GrantKV, GrantObj:
		return first == g.Target(kind) && (rest == "" || g.Covers(rest))
	case GrantFn:
		ref, err := ParseRef(g.Fn)
		return first == g.Fn || err == nil && first == ref.Name && ref.Version == ""
	case GrantPub:
		_, ok := Match(g.Pub, strings.ReplaceAll(name, "/", "."))
		return ok
	case GrantHTTP:
		t, err := ParseHTTPTarget(g.HTTP)
		_, origin, _ := strings.Cut(t.Origin(), "://")
		return err == nil && (first == origin || first == t.Host)
	case GrantSQL:
		return first == g.SQL+".db"
	case GrantTmp:
		return true
	}
	return first == g.Secret
}

// NotGranted returns what to say of paths that a program is likely to open and its manifest does not grant, one line
// each.
func (f *Function) NotGranted(paths []string) (lines []string) {
	for _, path := range paths {
		kind, name, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if f.GrantsPath(path) || f.grantsBeginning(kind, name) {
			continue
		}
		lines = append(lines, Errorf(CodeRefused, "", "%s seems to open %s, which is not granted, so it finds nothing there: "+
			"write [[grant]] and %s = %q into its manifest", f.Name, path, kind, strings.TrimSuffix(name, ".db")).Msg)
	}
	return lines
}

// grantsBeginning reports whether a name begins with one that is granted: the strings of some languages have no end,
// and another one can follow.
func (f *Function) grantsBeginning(kind, name string) bool {
	return slices.ContainsFunc(f.Grants, func(g Grant) bool {
		return g.Kind() == kind && strings.HasPrefix(name, g.Target(kind))
	})
}
