package protocol

import (
	"fmt"
	"strings"
)

// patternBucket is the form of a bucket that can be granted.
const patternBucket = `^[A-Za-z0-9-][A-Za-z0-9_-]*$`

// addGrant adds the rows of grant that say what is granted.
func addGrant(t map[string]Key) {
	t["grant"] = Key{Default: "none", Range: fmt.Sprintf("at most %d, with at most %d buckets", MaxGrants, MaxBuckets),
		Most: MaxGrants, Example: `[{ kv = "stock", access = "rw" }]`,
		Text: "What its processes may use outside of themselves, as files. Each grants one thing: `" +
			strings.Join(GrantKinds(), "`, `") + "`."}
	t["grant.kv"] = Key{Range: "a KV bucket, not an internal one", Most: MaxBucket, Pattern: patternBucket,
		Example: `"stock"`, Text: "The keys of a bucket, as files `/kv/BUCKET/KEY`."}
	t["grant.obj"] = Key{Range: "a bucket, not an internal one", Most: MaxBucket, Pattern: patternBucket,
		Example: `"images"`, Text: "The objects of an object store, as files `/obj/BUCKET/NAME`."}
	t["grant.fn"] = Key{Range: "`NAME` or `NAME@VERSION`", Pattern: patternRuntime, Example: `"price"`,
		Text: "Calls of a function, as a file `/fn/NAME`: write the request, close, read the reply."}
	t["grant.pub"] = Key{Range: fmt.Sprintf("at most %d bytes; wildcards allowed; not in a tree of polyvoke's or the "+
		"server's own", MaxSubject), Most: MaxSubject, Example: `"orders.*.new"`,
		Text: "Messages on subjects, as files `/pub/SUBJECT`: each close is one, and is sent after the commit."}
	t["grant.secret"] = Key{Range: fmt.Sprintf("at most %d letters, digits, `-`, `_` and dots, no dot first", MaxSecret),
		Pattern: fmt.Sprintf("^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,%d}$", MaxSecret-1), Example: `"API_KEY"`,
		Text: "A secret of the invoker, as a file `/secret/NAME`."}
	t["grant.http"] = Key{Range: fmt.Sprintf("`[http://]HOST[:PORT][/PATH]` of at most %d bytes; https without a scheme; "+
		"`*.HOST` is all names below a host", MaxHTTPTarget), Most: MaxHTTPTarget, Example: `"api.example.com/v1"`,
		Text: "Requests to a host, to a path and all below it, as files `/http/HOST[:PORT]/PATH`."}
	t["grant.tmp"] = Key{Range: "at most " + MaxTmp.String() + ", and with `limits.memory` less than 4GiB",
		Example: `"64MiB"`, Text: "Room in memory for files below `/tmp`, which are gone after the call."}
	t["grant.sql"] = Key{Range: "1 to 64 of `A-Z a-z 0-9 - _`, a letter or a digit first", Pattern: patternName,
		Example: `"shop"`, Text: "An SQLite database, as a file `/sql/NAME.db`."}
	addGrantOptions(t)
}

// addGrantOptions adds the rows of grant that say what may be done with it.
func addGrantOptions(t map[string]Key) {
	t["grant.access"] = Key{Default: AccessRead, Values: []string{AccessRead, AccessWrite}, Example: `"rw"`,
		Text: "With `kv`, `obj` or `sql`: whether it can be written too."}
	t["grant.keys"] = Key{Default: "all", Range: fmt.Sprintf("at most %d bytes; `*` is any characters", MaxKeyPattern),
		Most: MaxKeyPattern, Example: `"eu/*"`,
		Text: "With `kv` or `obj`: the keys or names that are granted. Others do not exist."}
	t["grant.create"] = Key{Default: "false", Example: "true",
		Text: "With `kv`, `obj` or `sql`: makes the bucket if there is none. Without it such a deployment is refused."}
	t["grant.atomic"] = Key{Default: "false", Example: "true",
		Text: "With `kv`: several keys of a call are written all or not at all. The bucket is set to allow it."}
	t["grant.consistent"] = Key{Default: "false", Example: "true",
		Text: "With `kv`: each first read of a key asks the server, and no cache."}
	t["grant.serializable"] = Key{Default: "false", Example: "true",
		Text: "With `kv`: what a call has read must still hold when it commits, also if it is not written."}
	t["grant.methods"] = Key{Default: "`GET`, `HEAD`", Range: fmt.Sprintf("at most %d", MaxMethods), Most: MaxMethods,
		Pattern: `^[A-Z-]{1,32}$`, Example: `["GET", "POST"]`, Text: "With `http`: the methods that are granted."}
	t["grant.max_keys"] = Key{Default: "no quota", Range: fmt.Sprintf("1 to %d", MaxMaxKeys), Min: 1, Max: MaxMaxKeys,
		Example: "10_000", Text: "With `kv` or `obj`, and access `rw`: how many keys or objects the bucket may have."}
	t["grant.max_bytes"] = Key{Default: "no quota; of a database 64MiB, of a response `limits.output`",
		Range: "more than 0", Example: `"64MiB"`,
		Text: "With `kv`, `obj` or `sql`, and access `rw`: how large the bucket, or the database, may become. With `http`: " +
			"how large a response may be."}
	t["grant.max_ops"] = Key{Default: fmt.Sprint(DefaultMaxOps), Range: fmt.Sprintf("1 to %d", MaxMaxOps), Min: 1,
		Max: MaxMaxOps, Example: "100", Text: "How many operations of one call may go outside of its process."}
}
