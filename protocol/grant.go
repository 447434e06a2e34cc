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
	MaxBuckets    = 8    // grants of kv and obj together: each has a mount of its own
	DefaultMaxOps = 1000 // operations of a call that go outside
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

// Ops returns MaxOps or what it stands for.
func (g Grant) Ops() int { return cmp.Or(g.MaxOps, DefaultMaxOps) }

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
