package protocol

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkGrants finds grants that cannot be.
func (f *Function) checkGrants(p *problems) {
	if len(f.Grants) > MaxGrants {
		p.add("grant", "%d grants; at most %d", len(f.Grants), MaxGrants)
		return
	}
	buckets := map[string]bool{}
	for i, g := range f.Grants {
		c := grantCheck{Grant: g, number: i + 1, problems: p}
		if !c.target(f) {
			continue
		}
		c.foreign()
		c.options()
		c.bounds()
		c.twin(f.Grants[:i])
		if kind := c.Kind(); kind == GrantKV || kind == GrantObj {
			buckets[c.Mount()] = true
			if len(buckets) > MaxBuckets {
				c.refuse(kind, "%d buckets of kv and obj; at most %d: each is a folder of its own", len(buckets), MaxBuckets)
				return
			}
		}
	}
}

// grantCheck finds what is wrong with one grant.
type grantCheck struct {
	Grant
	number int // from 1
	*problems
}

// add takes note of what is wrong with a key, if anything is.
func (c *grantCheck) add(key string, err error) bool {
	if err != nil {
		c.problems.add(fmt.Sprintf("grant[%d].%s", c.number-1, key), "grant %d: %w", c.number, err)
	}
	return err == nil
}

// refuse takes note of what is wrong with a key.
func (c *grantCheck) refuse(key, format string, a ...any) {
	c.add(key, Errorf(CodeRefused, "", format, a...))
}

// target finds what is wrong with what the grant names. It returns false if nothing else can be said of the grant.
func (c *grantCheck) target(f *Function) bool {
	given := c.given()
	switch {
	case len(given) == 0:
		c.refuse(GrantKV, "it grants nothing: give it one of %s", strings.Join(GrantKinds(), ", "))
		return false
	case len(given) > 1:
		c.refuse(given[1], "it grants several things, %s: write a [[grant]] for each", strings.Join(given, ", "))
		return false
	}
	return c.add(given[0], c.checkTarget(f))
}

// given returns the kinds that the grant has.
func (c *grantCheck) given() (all []string) {
	for _, kind := range GrantKinds() {
		if c.Target(kind) != "" || kind == GrantTmp && c.Tmp != 0 {
			all = append(all, kind)
		}
	}
	return all
}

// checkTarget returns what is wrong with what a grant of one kind names.
func (c *grantCheck) checkTarget(f *Function) error {
	switch c.Kind() {
	case GrantKV:
		return CheckBucket(GrantKV, c.KV)
	case GrantObj:
		return CheckBucket(GrantObj, c.Obj)
	case GrantFn:
		return checkGrantFn(f, c.Fn)
	case GrantPub:
		return checkGrantPub(c.Pub)
	case GrantSecret:
		return CheckSecret(c.Secret)
	case GrantHTTP:
		_, err := ParseHTTPTarget(c.HTTP)
		return err
	case GrantSQL:
		return checkDatabase(c.SQL)
	}
	return checkTmp(c.Tmp, f.Limits.WithDefaults().Memory)
}

// CheckBucket returns nil if a bucket can be granted: it has a name that NATS takes, and is none of polyvoke's or the
// server's own. key is what an error calls it. The error's code is 422.
func CheckBucket(key, name string) error {
	if err := checkBucket(key, name); err != nil {
		return err
	}
	if OwnBucket(name) {
		return Errorf(CodeRefused, "", "%s: bucket %s is internal, as all are whose names begin with fn_ or _: choose one "+
			"of yours", key, name)
	}
	return nil
}

// OwnBucket reports whether a bucket is internal by its name: it is never granted, nor read or written for a user.
func OwnBucket(name string) bool {
	return strings.HasPrefix(name, "_") || len(name) >= 3 && strings.EqualFold(name[:3], "fn_")
}

// checkGrantFn returns what is wrong with the function that a grant names.
func checkGrantFn(f *Function, name string) error {
	ref, err := ParseRef(name)
	if err != nil {
		return Errorf(CodeRefused, "", "fn = %.80q: write NAME or NAME@VERSION: %w", name, err)
	}
	if ref.Name == f.Name && !f.AllowLoop {
		return Errorf(CodeRefused, "", "fn = %q is the function itself, whose calls would call it: set allow_loop = true if "+
			"they end", name)
	}
	return nil
}

// checkGrantPub returns what is wrong with a pattern of subjects.
func checkGrantPub(pattern string) error {
	if strings.ContainsRune(pattern, '/') {
		return Errorf(CodeRefused, "", "pub = %.80q: write the subject with dots; in the file's name both are good", pattern)
	}
	if hasControl(pattern) || !utf8.ValidString(pattern) {
		return Errorf(CodeRefused, "", "pub = %.80q has a control character, or is not UTF-8", pattern)
	}
	if err := CheckPattern(pattern); err != nil {
		return Errorf(CodeRefused, "", "pub: %w", err)
	}
	return nil
}

// CheckSecret returns nil if a secret can have this name: 1 to MaxSecret letters, digits, -, _ and dots, none of which
// is the first. The error's code is 422.
func CheckSecret(name string) error {
	switch {
	case len(name) > MaxSecret:
		return Errorf(CodeRefused, "", "secret = %.40q... has %d bytes; at most %d", name, len(name), MaxSecret)
	case name == "" || name[0] == '.' || strings.ContainsFunc(name, func(r rune) bool { return r != '.' && !nameRune(r) }):
		return Errorf(CodeRefused, "", "secret = %.80q: the name of a secret has letters, digits, -, _ and dots only, "+
			"and no dot first", name)
	}
	return nil
}

// nameRune reports whether a name of a function, a bucket or a database can have a character.
func nameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// checkDatabase returns what is wrong with the name of a database.
func checkDatabase(name string) error {
	switch {
	case strings.HasSuffix(name, ".db"):
		return Errorf(CodeRefused, "", "sql = %.80q: write the name without .db, which the file has by itself", name)
	case CheckName(name) != nil || OwnBucket(name):
		return Errorf(CodeRefused, "", "sql = %.80q: the name of a database has 1 to %d letters, digits, - and _, a letter "+
			"or a digit first, and not fn_", name, MaxName)
	}
	return nil
}

// checkTmp returns what is wrong with the room in memory of processes that have so much memory besides.
func checkTmp(size, memory Size) error {
	switch {
	case size < 1 || size > MaxTmp:
		return Errorf(CodeRefused, "", "tmp must be more than zero and at most %s", MaxTmp)
	case size+memory > MaxMemory:
		return Errorf(CodeRefused, "", "tmp = %q and limits.memory = %q are more than %s together: make one smaller", size,
			memory, MaxMemory)
	}
	return nil
}

// foreign finds keys that say nothing about grants of this kind.
func (c *grantCheck) foreign() {
	kv, stored := []string{GrantKV}, []string{GrantKV, GrantObj, GrantSQL}
	for _, k := range []struct {
		key   string
		given bool
		of    []string
	}{
		{"access", c.Access != "", stored}, {"create", c.Create, stored},
		{"keys", c.Keys != "", stored[:2]}, {"max_keys", c.MaxKeys != 0, stored[:2]},
		{"atomic", c.Atomic, kv}, {"consistent", c.Consistent, kv}, {"serializable", c.Serializable, kv},
		{"methods", c.Methods != nil, []string{GrantHTTP}},
		{"max_bytes", c.MaxBytes != 0, append(slices.Clone(stored), GrantHTTP)},
		{"max_ops", c.MaxOps != 0, slices.DeleteFunc(GrantKinds(), func(kind string) bool { return kind == GrantTmp })},
	} {
		if k.given && !slices.Contains(k.of, c.Kind()) {
			c.refuse(k.key, "%s belongs to a grant with %s, not to one with %s: take it off", k.key,
				strings.Join(k.of, " or "), c.Kind())
		}
	}
}

// options finds values that are none of several, and those that say nothing without another.
func (c *grantCheck) options() {
	if c.Access != "" && c.Access != AccessRead && c.Access != AccessWrite {
		c.refuse("access", "access = %.40q: use %q or %q", c.Access, AccessRead, AccessWrite)
	}
	if c.Keys != "" {
		c.add("keys", c.checkKeys())
	}
	if c.Atomic && !c.CanWrite() {
		c.refuse("atomic", "atomic is about what is written, and nothing is: set access = %q, or take it off", AccessWrite)
	}
	if len(c.Methods) > MaxMethods {
		c.refuse("methods", "methods has %d entries; at most %d", len(c.Methods), MaxMethods)
		return
	}
	for i, m := range c.Methods {
		if !plainMethod(m) || m == "TRACE" || slices.Contains(c.Methods[:i], m) {
			c.refuse("methods", "methods: %.40q is no method in capitals, such as POST, or stands there twice; CONNECT and "+
				"TRACE are none", m)
		}
	}
	if c.Methods != nil && len(c.Methods) == 0 {
		c.refuse("methods", "methods is empty: list some, or take it off for GET and HEAD")
	}
}

// checkKeys returns what is wrong with the pattern of keys, or names of objects.
func (c *grantCheck) checkKeys() error {
	other := func(r rune) bool { return !nameRune(r) && !strings.ContainsRune("/=.*", r) }
	if c.Kind() == GrantObj {
		other = func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }
	}
	switch {
	case len(c.Keys) > MaxKeyPattern:
		return Errorf(CodeRefused, "", "keys = %.40q... has %d bytes; at most %d", c.Keys, len(c.Keys), MaxKeyPattern)
	case strings.ContainsRune(c.Keys, '>'):
		return Errorf(CodeRefused, "", "keys = %.80q: there is no > here: * is any characters, also dots and slashes", c.Keys)
	case strings.ContainsFunc(c.Keys, other):
		return Errorf(CodeRefused, "", "keys = %.80q has a character that no key has: use letters, digits, - _ / = . and * "+
			"for any characters", c.Keys)
	case strings.HasPrefix(c.Keys, "/"):
		return Errorf(CodeRefused, "", "keys = %.80q begins with a slash, and no key does: take it off", c.Keys)
	}
	return nil
}

// bounds finds values that are out of their bounds.
func (c *grantCheck) bounds() {
	most := MaxMaxBytes
	if c.Kind() == GrantHTTP || c.Kind() == GrantSQL {
		most = MaxBody
	}
	if c.MaxBytes < 0 || c.MaxBytes > most {
		c.refuse("max_bytes", "max_bytes must be more than zero and at most %s", most)
	}
	if c.MaxKeys < 0 || c.MaxKeys > MaxMaxKeys {
		c.refuse("max_keys", "max_keys must be 1 to %d", MaxMaxKeys)
	}
	if c.MaxOps < 0 || c.MaxOps > MaxMaxOps {
		c.refuse("max_ops", "max_ops must be 1 to %d", MaxMaxOps)
	}
	for _, quota := range []struct {
		key   string
		given bool
	}{{"max_keys", c.MaxKeys > 0}, {"max_bytes", c.MaxBytes > 0 && c.Kind() != GrantHTTP}} {
		if quota.given && !c.CanWrite() {
			c.refuse(quota.key, "%s bounds what is written, and nothing is: set access = %q, or take it off", quota.key,
				AccessWrite)
		}
	}
}

// twin finds a grant before this one that speaks of the same files, so that nobody could say which of the two holds.
func (c *grantCheck) twin(before []Grant) {
	kind := c.Kind()
	for k, other := range before {
		if other.Kind() != kind || !c.overlaps(other) {
			continue
		}
		c.refuse(kind, "%s = %.80q speaks of files that grant %d speaks of too: make one of the two, or let them differ", kind,
			c.Target(kind), k+1)
		return
	}
}

// overlaps reports whether another grant of the same kind can speak of the same file.
func (c *grantCheck) overlaps(other Grant) bool {
	kind := c.Kind()
	switch kind {
	case GrantKV, GrantObj:
		all := func(keys string) string {
			if keys == "" || len(keys) > MaxKeyPattern {
				return "*"
			}
			return keys
		}
		return c.Target(kind) == other.Target(kind) && overlapKeys(all(c.Keys), all(other.Keys))
	case GrantPub:
		return Overlap(c.Pub, other.Pub)
	case GrantHTTP:
		a, _ := ParseHTTPTarget(c.HTTP)
		b, err := ParseHTTPTarget(other.HTTP)
		return err == nil && (a.Covers(b) || b.Covers(a))
	case GrantTmp:
		return true
	}
	return c.Target(kind) == other.Target(kind)
}
