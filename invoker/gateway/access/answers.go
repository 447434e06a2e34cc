package access

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// answers keep what authorizers have said. When there are too many, those that were not used for the longest time go.
type answers struct {
	most int

	mu     sync.Mutex
	by     map[digest]*list.Element // of *keptAnswer
	recent *list.List               // the one that was used last is in front
}

// keptAnswer is an answer that holds until a time.
type keptAnswer struct {
	key      digest
	function string // that has given it
	answer   answer
	until    time.Time
}

func newAnswers(most int) *answers {
	return &answers{most: most, by: map[digest]*list.Element{}, recent: list.New()}
}

// get returns an answer that holds now.
func (a *answers) get(key digest, now time.Time) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.by[key]
	if e == nil {
		return answer{}, false
	}
	k := e.Value.(*keptAnswer)
	if !now.Before(k.until) {
		a.remove(e)
		return answer{}, false
	}
	a.recent.MoveToFront(e)
	return k.answer, true
}

// put keeps an answer.
func (a *answers) put(key digest, function string, one answer, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.by[key]; e != nil {
		a.remove(e)
	}
	a.by[key] = a.recent.PushFront(&keptAnswer{key, function, one, until})
	for a.recent.Len() > a.most {
		a.remove(a.recent.Back())
	}
}

// drop drops the answers of a function.
func (a *answers) drop(function string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for e := a.recent.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*keptAnswer).function == function {
			a.remove(e)
		}
		e = next
	}
}

func (a *answers) remove(e *list.Element) {
	delete(a.by, e.Value.(*keptAnswer).key)
	a.recent.Remove(e)
}

// digest names what an answer is for. Nobody can find two that have the same.
type digest [sha256.Size]byte

// summer makes a digest of parts, each with its length in front of it.
type summer struct{ hash.Hash }

func (s summer) add(parts ...string) {
	for _, p := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		s.Write(size[:]) // a hash takes all
		s.Write([]byte(p))
	}
}

func (s summer) list(parts []string) {
	var count [8]byte
	binary.BigEndian.PutUint64(count[:], uint64(len(parts)))
	s.Write(count[:])
	s.add(parts...)
}

// digest returns the digest of what was added.
func (s summer) digest() (d digest) {
	s.Sum(d[:0])
	return d
}

// identityKeys returns what names a client on a path, and on all of a route, and reports whether the request says who
// it is.
func (a *authorizers) identityKeys(r *http.Request, name string, w *Want) (keys [2]digest, known bool) {
	wide := summer{sha256.New()}
	wide.add(name, w.Function, w.Route, r.Method, r.Host)
	for _, h := range a.config.Identity {
		wide.list(r.Header[h])
		known = known || len(r.Header[h]) > 0
	}
	keys[1] = wide.digest()
	wide.add(r.URL.EscapedPath(), r.URL.RawQuery)
	keys[0] = wide.digest()
	return keys, known
}

// wholeKey returns what names all that an authorizer gets to know of a request.
func wholeKey(q *protocol.Request, name string, w *Want) digest {
	s := summer{sha256.New()}
	s.add(name, w.Function, w.Route)
	for _, h := range slices.Sorted(maps.Keys(q.Header)) {
		s.add(h)
		s.list(q.Header[h])
	}
	return s.digest()
}
