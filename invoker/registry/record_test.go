package registry_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// FuzzRecord: whatever is in the bucket, the decoder returns an error or an entry that is
// sound, and that reads the same after it is written.
func FuzzRecord(f *testing.F) {
	const digest = `"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"`
	f.Add("greet", []byte(`{"name":"greet","versions":[{"name":"greet","version":1,"digest":`+digest+
		`,"size":3,"created":"2026-01-02T03:04:05Z"}]}`))
	f.Add("greet", []byte(`{"name":"greet","versions":[{"name":"greet","version":3,"digest":`+digest+
		`,"limits":{"timeout":"3s","memory":"64MiB"},"env":{"A":"1"},"args":["x"],`+
		`"trigger":[{"subject":"a.*","queue":"q"}]},{"name":"greet","version":9,"digest":`+digest+`}]}`))
	f.Add("greet", []byte(`{"name":"greet","versions":[{"name":"greet","version":2,"digest":`+digest+
		`},{"name":"greet","version":1,"digest":`+digest+`}]}`))
	f.Add("a.b", []byte(`{"name":"a.b","versions":[{}]}`))
	f.Add("greet", []byte(`{"name":"greet","versions":[]}`))
	f.Add("greet", []byte(`{"name":"greet"} {}`))
	f.Add("greet", []byte(`null`))
	f.Add("greet", []byte(`{"name":"greet","needs":["teleport"],"to":"Mars","versions":[`+
		`{"name":"greet","version":1,"digest":`+digest+`,"teleport":{"to":"Mars"}}]}`))
	f.Add("greet", []byte(`{"name":"greet","versions":[`+
		`{"name":"greet","version":1,"digest":`+digest+`,"needs":["warp"]}]}`))
	f.Add("greet", []byte(`{"name":"greet","needs":["teleport"],"versions":{"1":"x"}}`))
	f.Add("greet", []byte(`{"name":"greet","needs":["Tele port"],"versions":[`+
		`{"name":"greet","version":1,"digest":`+digest+`}]}`))
	f.Add("greet", []byte(`{"name":"greet","lost":"2026-01-02T03:04:05Z"}`))
	f.Add("greet", []byte(`{"name":"greet","versions":[`+
		`{"name":"greet","version":9223372036854775807,"digest":`+digest+`,"size":-1}]}`))
	many := `{"name":"greet","versions":[{"name":"greet","version":1,"digest":` + digest + `}`
	for v := 2; v < 10_000; v++ {
		many += fmt.Sprintf(`,{"name":"greet","version":%d,"digest":%s}`, v, digest)
	}
	f.Add("greet", []byte(many+`]}`))
	f.Fuzz(checkRecord)
}

// checkRecord fails if a record is read as an entry that is not sound, or that does not read the same once written.
func checkRecord(t *testing.T, name string, record []byte) {
	e, err := registry.DecodeEntry(name, record)
	if unknown, read := registry.UnknownNeeds(err); unknown != nil {
		if protocol.CheckNeeds(unknown) != nil || slices.ContainsFunc(unknown, protocol.KnowsNeed) || read.Name != name {
			t.Fatalf("it needs %q: %+v", unknown, read)
		}
		if e = read; len(e.Versions) == 0 {
			return
		}
	} else if err != nil {
		return
	}
	if e.Name != name || len(e.Versions) == 0 || e.Latest().Version < len(e.Versions) ||
		len(e.Versions) > 100 || e.Latest().Version+1 > 1<<31 {
		t.Fatalf("not an entry: %+v", e)
	}
	b, same, err := registry.EncodeEntry(e, 1<<30)
	if err != nil {
		t.Fatalf("it cannot be written: %v", err)
	}
	again, err := registry.DecodeEntry(name, b)
	if unknown, read := registry.UnknownNeeds(err); unknown != nil {
		again, err = read, nil
	}
	if err != nil {
		t.Fatalf("it cannot be read again: %v\n%s", err, b)
	}
	for i := range e.Versions {
		if !e.Versions[i].Same(&again.Versions[i]) {
			t.Fatalf("version %d changes: %s", i, cmp.Diff(same.Versions[i], again.Versions[i]))
		}
	}
}
