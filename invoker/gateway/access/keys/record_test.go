package keys

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleKey() Key {
	return Key{ID: strings.Repeat("a", idSize), Note: "for tests", Functions: []string{"greet"},
		Routes: []string{"GET /x"},
		Rate:   "5/s", Created: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC),
		Expires: time.Date(2027, 11, 30, 0, 0, 0, 0, time.UTC)}
}

// TestRecord reads records as they are written, and none that anybody has changed.
func TestRecord(t *testing.T) {
	k, d := sampleKey(), digestOf("x")
	b, err := encode(k, d)
	if err != nil {
		t.Fatal(err)
	}
	if got, is, err := decode(k.ID, b); err != nil || !reflect.DeepEqual(got, k) || is != d {
		t.Errorf("%+v, %x, %v", got, is, err)
	}
	good := string(b)
	for what, bad := range map[string]string{
		"nothing":               "",
		"null":                  "null",
		"cut":                   good[:len(good)-3],
		"two":                   good + good,
		"another id":            strings.Replace(good, k.ID, strings.Repeat("b", idSize), 1),
		"a newer version":       strings.Replace(good, `"version":1`, `"version":2`, 1),
		"a new word":            strings.Replace(good, `"note"`, `"only_on_mondays"`, 1),
		"no digest":             strings.Replace(good, `"digest":"sha256:`, `"digest":"`, 1),
		"a short digest":        strings.Replace(good, `"digest":"sha256:00`, `"digest":"sha256:`, 1)[:60],
		"a long digest":         strings.Replace(good, `","id"`, `zz","id"`, 1),
		"a bad rate":            strings.Replace(good, "5/s", "many", 1),
		"a bad function":        strings.Replace(good, "greet", "gr eet", 1),
		"a control":             strings.Replace(good, "for tests", `for\u001btests`, 1),
		"a line":                strings.Replace(good, "GET /x", `GET /x\r\nA: b`, 1),
		"an empty route":        strings.Replace(good, "GET /x", "", 1),
		"no route":              strings.Replace(good, "GET /x", "orders", 1),
		"a wrong route":         strings.Replace(good, "GET /x", "get /x", 1),
		"it has expired before": strings.Replace(good, "2027", "2025", 1),
		"long":                  strings.Replace(good, "for tests", strings.Repeat("x", MaxNote+1), 1),
		"huge":                  good + strings.Repeat(" ", maxRecord),
		"deep":                  strings.Repeat("[", 50_000),
	} {
		if got, _, err := decode(k.ID, []byte(bad)); err == nil {
			t.Errorf("%s is read as %+v", what, got)
		}
	}
	many := k
	many.Functions = make([]string, MaxScope+1)
	if err := many.Check(); err == nil {
		t.Error("too many functions are taken")
	}
	for _, id := range []string{"", "a", "aaaaaaaaaaa.", strings.Repeat("a", 1<<10)} {
		if _, _, err := decode(id, b); err == nil {
			t.Errorf("the id %q is taken", id)
		}
	}
}

// TestOpens looks at what keys are for.
func TestOpens(t *testing.T) {
	for _, tt := range []struct {
		functions, routes []string
		function, route   string
		want              bool
	}{
		{nil, nil, "greet", "GET /x", true},
		{[]string{"greet"}, nil, "greet", "GET /x", true},
		{[]string{"greet"}, nil, "greeter", "GET /x", false},
		{[]string{"greet"}, nil, "", "", false},
		{nil, []string{"GET /x"}, "greet", "GET /x", true},
		{nil, []string{"GET /x"}, "greet", "GET /x/", false},
		{[]string{"other"}, []string{"GET /x"}, "greet", "GET /x", true},
	} {
		k := Key{Functions: tt.functions, Routes: tt.routes}
		if got := k.Opens(tt.function, tt.route); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// FuzzDecode checks that whatever is taken for a record is within the bounds, and is written as it was read.
func FuzzDecode(f *testing.F) {
	k := sampleKey()
	b, _ := encode(k, digestOf("x"))
	f.Add(string(b))
	f.Add(`{"version":1}`)
	f.Add(`{"version":1,"digest":"sha256:00","id":"aaaaaaaaaaaa","rate":"1/s","created":"0001-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, s string) {
		got, d, err := decode(k.ID, []byte(s))
		if err != nil {
			return
		}
		if err := got.Check(); err != nil || got.ID != k.ID {
			t.Errorf("%+v: %v", got, err)
		}
		b, err := encode(got, d)
		if err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		again, _, err := decode(k.ID, b)
		a1, _ := json.Marshal(got)
		a2, _ := json.Marshal(again)
		if err != nil || string(a1) != string(a2) {
			t.Errorf("%s became %s, %v", a1, a2, err)
		}
	})
}
