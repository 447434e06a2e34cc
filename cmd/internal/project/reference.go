package project

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

//go:generate go test -run ^TestReference$ -update .

// SchemaURL is where the JSON schema of a polyvoke.toml is published, for editors.
const SchemaURL = "https://raw.githubusercontent.com/polyvoke/polyvoke/main/docs/manifest.schema.json"

// schema is the part of JSON Schema, draft 7, that a manifest needs. The fields are in the order in which they read
// best.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	ID          string             `json:"$id,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        any                `json:"type,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	MaxLength   int                `json:"maxLength,omitempty"`
	Minimum     *int64             `json:"minimum,omitempty"`
	Maximum     *int64             `json:"maximum,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	MaxItems    int                `json:"maxItems,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Additional  any                `json:"additionalProperties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	OneOf       []*schema          `json:"oneOf,omitempty"`
}

// Schema returns the JSON schema of a polyvoke.toml, for editors: docs/manifest.schema.json. It says less than
// ReadManifest checks, and nothing that ReadManifest would not let pass is required by it.
func Schema() []byte {
	root := tableSchema()
	root.Schema, root.ID, root.Title = "http://json-schema.org/draft-07/schema#", SchemaURL, "polyvoke.toml"
	root.Description = "A function of polyvoke: how it comes to be, and how it is called."
	root.OneOf = []*schema{{Required: []string{"module"}}, {Required: []string{"script"}}}
	tables := map[string]*schema{"": root}
	for _, k := range ManifestKeys() {
		table, key := split(k.Path)
		s := schemaOf(k)
		tables[table].Properties[key] = s
		if k.Must {
			tables[table].Required = append(tables[table].Required, key)
		}
		if s.Items != nil && s.Items.Properties != nil {
			s = s.Items
		}
		tables[k.Path] = s
	}
	for _, source := range protocol.Sources() {
		tables["trigger"].OneOf = append(tables["trigger"].OneOf, &schema{Required: []string{source}})
	}
	for _, kind := range protocol.GrantKinds() {
		tables["grant"].OneOf = append(tables["grant"].OneOf, &schema{Required: []string{kind}})
	}
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // strings and numbers
	}
	return append(b, '\n')
}

// split returns the table of a key, and its name there.
func split(path string) (table, key string) {
	i := strings.LastIndexByte(path, '.')
	return path[:max(0, i)], path[i+1:]
}

func tableSchema() *schema {
	return &schema{Type: "object", Properties: map[string]*schema{}, Additional: false}
}

// schemaOf returns the schema of a key's value.
func schemaOf(k protocol.Key) *schema {
	s := &schema{}
	switch k.Type {
	case protocol.TypeString, protocol.TypeDuration, protocol.TypeBackoff:
		s = &schema{Type: "string", Enum: k.Values, Pattern: k.Pattern, MaxLength: k.Most}
	case protocol.TypeSize:
		s = &schema{Type: []string{"string", "integer"}, Pattern: k.Pattern}
	case protocol.TypeNumber:
		s = &schema{Type: "integer", Minimum: bound(k.Min), Maximum: bound(k.Max)}
	case protocol.TypeBool:
		s = &schema{Type: "boolean"}
	case protocol.TypeStrings:
		s = &schema{Type: "array", Items: &schema{Type: "string", Pattern: k.Pattern}, MaxItems: k.Most}
	case protocol.TypeNumbers:
		s = &schema{Type: "array", Items: &schema{Type: "integer", Minimum: &k.Min, Maximum: bound(k.Max)},
			MaxItems: k.Most}
	case protocol.TypeEnv:
		s = &schema{Type: "object", Additional: &schema{Type: "string"}}
	case protocol.TypeTable:
		s = tableSchema()
	case protocol.TypeTables:
		s = &schema{Type: "array", Items: tableSchema(), MaxItems: k.Most}
	}
	s.Description = plain(describe(k))
	return s
}

// bound returns a bound of a number, or nil for 0.
func bound(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// describe says what a key does, what it can be and what holds without it.
func describe(k protocol.Key) string {
	text := k.Text
	if k.Range != "" {
		text += " Range: " + k.Range + "."
	}
	if k.Default != "" {
		text += " Default: " + k.Default + "."
	}
	return text
}

// Reference returns the page about the keys of a polyvoke.toml: docs/manifest.md.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, part := range [][2]string{{"", "Keys above all tables"}, {"build", "[build]"}, {"limits", "[limits]"},
		{"job", "[job]"}, {"trigger", "[[trigger]]"}} {
		writeTable(&b, part[0], part[1])
	}
	b.WriteString(referenceSources)
	for _, part := range [][2]string{{"http", "[[http]]"}, {"http.cors", "[http.cors]"},
		{"websocket", "[[websocket]]"}} {
		writeTable(&b, part[0], part[1])
	}
	writeTable(&b, "grant", "[[grant]]")
	b.WriteString(referenceKinds)
	b.WriteString(referenceTail)
	return []byte(b.String())
}

// writeTable writes what there is to say about the keys of a table, under a heading.
func writeTable(b *strings.Builder, name, heading string) {
	fmt.Fprintf(b, "\n## %s\n\n| key | type | default | range | what it does | example |\n|---|---|---|---|---|---|\n",
		heading)
	for _, k := range ManifestKeys() {
		table, key := split(k.Path)
		if table != name {
			continue
		}
		what := k.Range
		if k.Values != nil {
			what = "`" + strings.Join(k.Values, "`, `") + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | `%s = %s` |\n", key, k.Type, k.Default, what, k.Text, key, k.Example)
	}
}

// referenceHead and referenceTail are what stands around the tables of Reference.
const (
	referenceHead = `# The manifest: polyvoke.toml

<!-- Generated from the Go types by "go generate ./cmd/internal/project": change it there. -->

A function's folder has a ` + "`polyvoke.toml`" + `. ` + "`polyvoke new`" + ` writes one, ` +
		"`build`, `run`, `dev` and `deploy`" + ` read it, and ` + "`deploy`" + `
takes one file without it too: then the name is the file's, and all else its default. On the wire the ` +
		`manifest is JSON with the same
keys ([the protocol](../protocol/README.md), section 4).

` + "```toml\n" + referenceExample + "```" + `

The first line is for editors with a TOML language server, such as taplo (Even Better TOML in Visual Studio Code): ` +
		`they complete
keys, and mark wrong ones, by [the JSON schema](manifest.schema.json).

A duration is a number and a unit (` + "`ms`, `s`, `m`" + `), together or in a row: ` +
		"`\"500ms\"`, `\"1m30s\"`" + `. A size is a number of bytes, or a
string with a unit: ` + "`KiB`, `MiB` and `GiB`" + ` are powers of 1024, ` + "`KB`, `MB` and `GB`" + ` of 1000. ` +
		`A number may have underscores: ` + "`50_000_000`" + `. A pause is
a duration, or two of them, as in ` + "`\"1s..5m\"`" + `: it doubles from the first to the second.
`
	referenceExample = `#:schema ` + SchemaURL + `
name = "price"
language = "Rust"
module = "price.wasm" # which polyvoke build makes of main.rs

[build]
source = "main.rs"

[env]
CURRENCY = "EUR"

[limits]
timeout = "500ms"
memory = "64MiB"

[[trigger]]
subject = "orders.*.new"       # what * stands for is the first argument
to = "orders.{1}.priced"       # where a successful reply goes
`
	referenceSources = `
Each trigger has exactly one source. [Durable calls and triggers](jobs.md) says what becomes of their events:

` + "```toml\n" + referenceTriggers + "```" + `
`
	// referenceTriggers has a trigger of each source.
	referenceTriggers = `name = "audit"
module = "audit.wasm"

[job]
attempts = 3
on_failure = "audit.failed"

[[trigger]]                    # each message calls the function at once
subject = "orders.*.new"

[[trigger]]                    # each message of a stream is a job, here up to 50 of them
stream = "ORDERS"
filter = "orders.eu.>"
batch = 50
window = "200ms"

[[trigger]]                    # a job at each time
schedule = "0 7 * * MON-FRI"
zone = "Asia/Seoul"
missed = "once"

[[trigger]]                    # each change of a key is a job
kv = "prices.eu.*"
ordered = true

[[trigger]]                    # each object that is put or deleted is a job
object = "uploads"
create = true
`
	referenceKinds = `
Each grant has exactly one thing that it grants. [Files of the back end](files.md) says what a process finds there:

` + "```toml\n" + referenceGrants + "```" + `
`
	// referenceGrants has a grant of each kind.
	referenceGrants = `name = "shop"
module = "shop.wasm"

[[grant]]                      # /kv/stock/tea is the key tea
kv = "stock"
access = "rw"
keys = "eu/*"

[[grant]]                      # /obj/images/logo.png is an object
obj = "images"

[[grant]]                      # write a request to /fn/price, close it, read the reply there
fn = "price"

[[grant]]                      # what is written to /pub/orders/eu/new is a message, sent after the commit
pub = "orders.*.new"

[[grant]]                      # /secret/API_KEY
secret = "API_KEY"

[[grant]]                      # /http/api.example.com/v1/rates
http = "api.example.com/v1"
methods = ["GET", "POST"]

[[grant]]                      # /tmp, gone after the call
tmp = "64MiB"

[[grant]]                      # /sql/shop.db, for any SQLite
sql = "shop"
access = "rw"
create = true
`
	referenceTail = `
## When something is wrong

Every command that reads a manifest says all that is wrong with it, with line and key, and what was probably meant:

` + "```text\n" + referenceMistakes + "```" + `
`
	referenceWrong = `name = "price"
module = "price.wasm"
memory = "64MiB"

[limts]
timeout = "1s"

[limits]
memroy = "64MiB"
timeout = 5
stack = "1M"
`
	referenceMistakes = `polyvoke.toml:3: unknown key memory: memory stands in [limits]
polyvoke.toml:5: unknown key limts: did you mean limits?
polyvoke.toml:9: unknown key limits.memroy: did you mean memory?
polyvoke.toml:10: limits.timeout must be a duration, not a number: write it with its unit, such as "5s" or "5ms"
polyvoke.toml:11: limits.stack: size "1M": did you mean "1MiB"?
`
)
