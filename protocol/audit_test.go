package protocol

import (
	"encoding/json"
	"strings"
	"testing"
)

// What an entry is about is read off the request, whatever is wrong with that.
func TestNewAuditEntry(t *testing.T) {
	for _, test := range []struct {
		verb             APIVerb
		manifest, body   string
		function, target string
		subject          string
	}{
		{APIDeploy, `{"name":"greet"}`, "\x00asm", "greet", "", "polyvoke.audit.deploy.greet.begin"},
		{APIDeploy, `{"name":"a.>"}`, "", "", "", "polyvoke.audit.deploy._.begin"},
		{APIDeploy, `no JSON`, "", "", "", "polyvoke.audit.deploy._.begin"},
		{APIRemove, "", `{"name":"greet"}`, "greet", "", "polyvoke.audit.remove.greet.begin"},
		{APIRemove, "", `{"name":"*"}`, "", "", "polyvoke.audit.remove._.begin"},
		{APIRuntimeAdd, "", `{"name":"x"}`, "", "", "polyvoke.audit.runtime-add._.begin"},
		{APIRuntimePin, "", `{"name":"lua@2"}`, "lua", "2", "polyvoke.audit.runtime-pin.lua.begin"},
		{APIAliasSet, "", `{"function":"greet","alias":"live"}`, "greet", "live", "polyvoke.audit.alias-set.greet.begin"},
		{APIJobCancel, "", `{"job":"greet.7"}`, "greet", "7", "polyvoke.audit.job-cancel.greet.begin"},
		{APIDeadDrop, "", `{"all":true}`, "", "", "polyvoke.audit.dead-drop._.begin"},
		{APIDeadDrop, "", `{"function":"greet"}`, "greet", "", "polyvoke.audit.dead-drop.greet.begin"},
	} {
		e := NewAuditEntry(test.verb, Header{HeaderManifest: {test.manifest}, HeaderID: {"id\r\n1"}}, []byte(test.body))
		if e.Function != test.function || e.Target != test.target || e.Subject() != test.subject || e.ID != "id  1" {
			t.Errorf("%s %s %s: %+v on %s", test.verb, test.manifest, test.body, e, e.Subject())
		}
	}
}

// Two requests of one id are one entry only if they ask for the same.
func TestAuditMessageID(t *testing.T) {
	entry := func(verb APIVerb, manifest, body string) string {
		e := NewAuditEntry(verb, Header{HeaderID: {"1"}, HeaderManifest: {manifest}}, []byte(body))
		return e.MessageID()
	}
	ids := map[string]bool{entry(APIDeploy, "a", "b"): true, entry(APIDeploy, "ab", ""): true,
		entry(APIDeploy, "", "ab"): true, entry(APIRemove, "a", "b"): true, entry(APIDeploy, "a", "c"): true}
	if len(ids) != 5 {
		t.Errorf("only %d ids of 5 requests: %v", len(ids), ids)
	}
	if same := entry(APIDeploy, "a", "b"); !ids[same] {
		t.Errorf("the same request has another id, %s", same)
	}
}

// What a client says about itself is bounded, and can be no other header.
func TestStated(t *testing.T) {
	h := Header{}
	Stated{Host: "h\r\nFn-Id: x", User: strings.Repeat("é", 100), Tool: ""}.Put(h)
	s := ParseStated(h)
	if s.Host != "h  Fn-Id: x" || len(s.User) > MaxStated || s.Tool != "" || len(h) != 2 {
		t.Errorf("%q from %q", s, h)
	}
	for s, want := range map[Stated]string{{}: "", {Host: "h"}: "h", {User: "u", Host: "h", Tool: "t"}: "u@h with t",
		{Tool: "t"}: "with t"} {
		if s.String() != want {
			t.Errorf("%+v is %q, want %q", s, s.String(), want)
		}
	}
}

func FuzzNewAuditEntry(f *testing.F) {
	f.Add("deploy", "id", `{"name":"greet"}`, []byte(`{"name":"a@1"}`))
	f.Add("dead-drop", "", "", []byte(`{"job":"a.b","function":"x"}`))
	f.Fuzz(func(t *testing.T, verb, id, manifest string, body []byte) {
		if !APIVerb(verb).Audited() {
			return
		}
		e := NewAuditEntry(APIVerb(verb), Header{HeaderID: {id}, HeaderManifest: {manifest}}, body)
		if strings.Count(e.Subject(), ".") != 4 || strings.ContainsAny(e.Subject(), " *>\r\n\t") {
			t.Errorf("subject %q", e.Subject())
		}
		b, err := json.Marshal(e)
		if err != nil || len(b) > 4<<10 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
}
