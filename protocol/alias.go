package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AliasLive is the alias that fn.NAME means, if the function has it.
const AliasLive = "live"

// HeaderKey is a request's own key for the choice between the versions of an alias, see Alias.Key.
const HeaderKey = "Fn-Key"

// Bounds of aliases.
const (
	MaxAliases = 16  // of a function
	MaxWeights = 2   // versions of an alias
	MaxBy      = 128 // bytes of Alias.By
	MaxWhy     = 512 // bytes of Alias.Why

	MaxCanary = Duration(7 * 24 * time.Hour)
)

// Alias says which versions of a function a name means. The idea is that of AWS Lambda's aliases; the choice by key
// is Cloudflare's version affinity.
type Alias struct {
	To     []Weight `json:"to"`               // one version, or two in ascending order
	Key    string   `json:"key,omitempty"`    // what calls that stay together have in common, see ParseKey
	By     string   `json:"by,omitempty"`     // whoever has set it, for people
	Why    string   `json:"why,omitempty"`    // for people
	Of     uint64   `json:"of,omitempty"`     // the revision that a rollback has put back
	Canary *Canary  `json:"canary,omitempty"` // how the newer of two versions is judged; nil: by people
}

// Weight is the share of the calls that a version gets.
type Weight struct {
	Version int `json:"version"`
	Weight  int `json:"weight"` // in per cent
}

// Canary says when the newer of an alias's two versions gets all calls, and when none.
type Canary struct {
	AbortOn string    `json:"abort_on,omitempty"` // see ParseConditions; empty: never
	For     Duration  `json:"for,omitempty"`      // after which the newer version gets all calls; 0: only by promotion
	Since   time.Time `json:"since,omitzero"`     // given by the invoker that stores it
}

var aliasForm = regexp.MustCompile(`^[A-Za-z_-][A-Za-z0-9_-]{0,63}$`)

// CheckAlias returns nil if s may be the name of an alias: what Ref.Version may be, and no number.
func CheckAlias(s string) error {
	if !aliasForm.MatchString(s) {
		return Errorf(CodeBadRequest, "",
			"alias %.80q: use 1 to %d letters, digits, - and _, and no digit first", s, MaxName)
	}
	return nil
}

// Sort puts the versions in ascending order, and a weight of 100 where a single version has none.
func (a *Alias) Sort() {
	slices.SortFunc(a.To, func(a, b Weight) int { return a.Version - b.Version })
	if len(a.To) == 1 && a.To[0].Weight == 0 {
		a.To[0].Weight = 100
	}
}

// Check returns nil for what an alias can be after Sort. The error's code is 400.
func (a *Alias) Check() error {
	bad := func(format string, args ...any) error { return Errorf(CodeBadRequest, "", format, args...) }
	if n := len(a.To); n == 0 || n > MaxWeights {
		return bad("an alias has one version or two, not %d", n)
	}
	sum, last := 0, 0
	for _, w := range a.To {
		if w.Version <= last || w.Version > maxVersionNumber {
			return bad("version %d of an alias: versions are numbers from 1, each once, in ascending order", w.Version)
		}
		if w.Weight < 1 || w.Weight > 100 {
			return bad("version %d has a weight of %d: use whole per cent from 1 to 100", w.Version, w.Weight)
		}
		sum, last = sum+w.Weight, w.Version
	}
	if sum != 100 {
		return bad("the weights of an alias must add up to 100, not %d", sum)
	}
	if _, err := ParseKey(a.Key); err != nil {
		return bad("key: %w", err)
	}
	if a.By != CleanValue(a.By, MaxBy) || a.Why != CleanValue(a.Why, MaxWhy) {
		return bad(`"by" has at most %d bytes, "why" %d, and neither control characters`, MaxBy, MaxWhy)
	}
	return a.Canary.check(len(a.To))
}

// maxVersionNumber is the largest number of a version that a reference can have: nine digits.
const maxVersionNumber = 999_999_999

// check returns nil for a canary between that many versions.
func (c *Canary) check(versions int) error {
	switch {
	case c == nil:
		return nil
	case versions != MaxWeights:
		return Errorf(CodeBadRequest, "", "a canary needs two versions: give the newer one a weight below 100")
	case c.For < 0 || c.For > MaxCanary:
		return Errorf(CodeBadRequest, "", "a canary may last %s at most", MaxCanary)
	}
	_, err := ParseConditions(c.AbortOn)
	return err
}

// Split reports whether calls are divided between two versions.
func (a *Alias) Split() bool { return len(a.To) > 1 }

// Main returns the version with the larger weight, and the newer one of two that have the same. Its manifest decides
// about what is not a single call: subscriptions, routes, triggers and limits of concurrency.
func (a *Alias) Main() int {
	main := a.To[0]
	for _, w := range a.To[1:] {
		if w.Weight >= main.Weight {
			main = w
		}
	}
	return main.Version
}

// Choose returns the version that a call with a key gets. Of two versions, the newer one gets the calls with
// Bucket(name, key) below its weight: more weight only moves keys to it, and none back. It allocates nothing.
func (a *Alias) Choose(name, key string) int {
	if !a.Split() {
		return a.To[0].Version
	}
	return a.At(Bucket(name, key))
}

// At returns the version that the calls of a bucket get, from 0 to 99.
func (a *Alias) At(bucket int) int {
	if newer := a.To[len(a.To)-1]; bucket < newer.Weight {
		return newer.Version
	}
	return a.To[0].Version
}

// Bucket returns in which of a hundred buckets a key of a function lies: the first eight bytes of the SHA-256 of NAME, a
// line feed and the key, as a big-endian number, modulo 100. It allocates nothing for keys of up to 190 bytes.
func Bucket(name, key string) int {
	var room [MaxName + 1 + 190]byte
	b := append(append(append(room[:0], name...), '\n'), key...)
	sum := sha256.Sum256(b)
	return int(binary.BigEndian.Uint64(sum[:8]) % 100)
}

// Of returns the key of a request: its argument or its header, or "" if it has none.
func (k JobKey) Of(r *Request) string {
	switch {
	case k.Arg > 0 && k.Arg <= len(r.Args):
		return r.Args[k.Arg-1]
	case k.Header != "":
		return r.Header.Get(k.Header)
	}
	return ""
}

// String describes the versions of an alias, such as "version 4 (90 %), version 5 (10 %)".
func (a Alias) String() string {
	parts := make([]string, len(a.To))
	for i, w := range a.To {
		parts[i] = fmt.Sprintf("version %d", w.Version)
		if a.Split() {
			parts[i] += fmt.Sprintf(" (%d %%)", w.Weight)
		}
	}
	return strings.Join(parts, ", ")
}

// Condition is what ends a canary: a figure of the newer version is above a bound.
type Condition struct {
	Figure string        // one of the Figure constants
	Share  float64       // of FigureErrors, from 0 to 1
	Time   time.Duration // of the others
}

// Figures that conditions can be about.
const (
	FigureErrors = "errors" // the share of calls that ended with an error
	FigureP50    = "p50"    // half of the calls took no longer
	FigureP99    = "p99"    // 99 % of the calls took no longer
)

// String returns the form that ParseConditions reads.
func (c Condition) String() string {
	if c.Figure == FigureErrors {
		return c.Figure + ">" + strconv.FormatFloat(c.Share*100, 'g', 6, 64) + "%"
	}
	return c.Figure + ">" + c.Time.String()
}

// ParseConditions reads conditions with commas between them, such as "errors>2%,p99>250ms". Any of them is enough. The
// error's code is 400.
func ParseConditions(s string) ([]Condition, error) {
	if s == "" {
		return nil, nil
	}
	if len(s) > MaxBy {
		return nil, badCondition(s)
	}
	var all []Condition
	for part := range strings.SplitSeq(s, ",") {
		c, ok := parseCondition(strings.TrimSpace(part))
		if !ok {
			return nil, badCondition(part)
		}
		all = append(all, c)
	}
	return all, nil
}

func parseCondition(s string) (c Condition, ok bool) {
	figure, bound, _ := strings.Cut(s, ">")
	c.Figure, bound = strings.TrimSpace(figure), strings.TrimSpace(bound)
	switch c.Figure {
	case FigureErrors:
		number, percent := strings.CutSuffix(bound, "%")
		n, err := strconv.ParseFloat(number, 64)
		c.Share = n / 100
		return c, percent && err == nil && n >= 0 && n < 100
	case FigureP50, FigureP99:
		d, err := ParseDuration(bound)
		c.Time = time.Duration(d)
		return c, err == nil
	}
	return c, false
}

func badCondition(s string) error {
	return Errorf(CodeBadRequest, "", `condition %.60q: write "errors>2%%", "p50>20ms" or "p99>250ms", `+
		"or several with commas between them", s)
}
