package protocol

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestAliasVectors(t *testing.T) {
	vectors(t, "aliases.txtar", func(in, _ string) string {
		lines := strings.Split(in, "\n")
		var a Alias
		for _, part := range strings.Fields(lines[1]) {
			var w Weight
			if _, err := fmt.Sscanf(part, "%d:%d", &w.Version, &w.Weight); err != nil {
				t.Fatal(err)
			}
			a.To = append(a.To, w)
		}
		if err := a.Check(); err != nil {
			return err.Error()
		}
		return fmt.Sprint(Bucket(lines[0], lines[2]), " ", a.Choose(lines[0], lines[2]))
	})
}

// split is an alias whose newer version has a weight.
func split(weight int) Alias { return Alias{To: []Weight{{4, 100 - weight}, {5, weight}}} }

func TestAliasShares(t *testing.T) {
	const keys = 20_000
	for _, weight := range []int{1, 10, 50, 90, 99} {
		newer, a := 0, split(weight)
		for i := range keys {
			key := fmt.Sprint("user-", i)
			if a.Choose("hello", key) == 5 {
				newer++
				for more := weight; more < 100; more += 7 {
					if b := split(more); b.Choose("hello", key) != 5 {
						t.Fatalf("key %s is back at version 4 at %d %%, and was at version 5 at %d %%", key, more, weight)
					}
				}
			}
		}
		if got := 100 * float64(newer) / keys; math.Abs(got-float64(weight)) > 1 {
			t.Errorf("%d %% became %.2f %%", weight, got)
		}
	}
}

func TestChooseAllocates(t *testing.T) {
	a := split(10)
	if n := testing.AllocsPerRun(100, func() { a.Choose("hello", "0199b5a2-7a37-7c3e-9d0e-0d4c3f6f0a11") }); n != 0 {
		t.Errorf("a choice allocates %v times", n)
	}
}

func TestAliasCheck(t *testing.T) {
	good := []Alias{
		{To: []Weight{{1, 100}}}, split(1), split(99),
		{To: []Weight{{2, 50}, {1, 50}}}, {To: []Weight{{1, 0}}, Key: "{1}", By: "me", Why: "because"},
		{To: []Weight{{4, 90}, {5, 10}}, Canary: &Canary{AbortOn: "errors>2%", For: Duration(time.Minute)}},
	}
	for _, a := range good {
		a.Sort()
		if err := a.Check(); err != nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
	bad := map[string]Alias{
		"not 0":              {},
		"not 3":              {To: []Weight{{1, 30}, {2, 30}, {3, 40}}},
		"each once":          {To: []Weight{{1, 50}, {1, 50}}},
		"numbers":            {To: []Weight{{-1, 100}}},
		"version 1000000000": {To: []Weight{{1_000_000_000, 100}}},
		"add up":             {To: []Weight{{1, 40}, {2, 50}}},
		"weight of 0":        {To: []Weight{{1, 100}, {2, 0}}},
		"weight of 101":      {To: []Weight{{1, 101}, {2, 1}}},
		"argument":           {To: []Weight{{1, 100}}, Key: "arg1"},
		"control":            {To: []Weight{{1, 100}}, Why: "a\nb"},
		"at most 128":        {To: []Weight{{1, 100}}, By: strings.Repeat("x", 129)},
		"two versions":       {To: []Weight{{1, 100}}, Canary: &Canary{}},
		"may last":           {To: []Weight{{1, 90}, {2, 10}}, Canary: &Canary{For: MaxCanary + 1}},
		"condition":          {To: []Weight{{1, 90}, {2, 10}}, Canary: &Canary{AbortOn: "errors"}},
	}
	for want, a := range bad {
		a.Sort()
		err := a.Check()
		if CodeOf(err) != CodeBadRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want 400 with %q", a, err, want)
		}
	}
}

func TestAliasMain(t *testing.T) {
	for weight, want := range map[int]int{10: 4, 49: 4, 50: 5, 90: 5} {
		if a := split(weight); a.Main() != want {
			t.Errorf("at %d %% version %d decides, want %d", weight, a.Main(), want)
		}
	}
}

func TestConditions(t *testing.T) {
	for in, want := range map[string]string{
		"errors>2%": "[errors>2%]", " errors > 0.5% , p99>250ms": "[errors>0.5% p99>250ms]", "p50>1m": "[p50>1m0s]",
		"": "[]",
	} {
		if got, err := ParseConditions(in); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"errors", "errors>2", "errors>-1%", "errors>100%", "errors>NaN%", "p99>0s", "p99>5", "cpu>1%",
		",", "errors>2%,", strings.Repeat("p99>1s,", 50)} {
		if got, err := ParseConditions(in); CodeOf(err) != CodeBadRequest {
			t.Errorf("%q: %v, %v, want 400", in, got, err)
		}
	}
}

func TestAliasNames(t *testing.T) {
	for _, name := range []string{"live", "a", "_x", "-", "Canary-2", strings.Repeat("x", 64)} {
		if err := CheckAlias(name); err != nil {
			t.Error(err)
		}
		if _, err := ParseRef("f@" + name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "1", "1a", "a.b", "a b", "a*", ">", "é", "a\n", strings.Repeat("x", 65)} {
		if err := CheckAlias(name); CodeOf(err) != CodeBadRequest {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// FuzzAliasRequests feeds the bodies of all verbs. What is taken must be what it says when it is written and read.
func FuzzAliasRequests(f *testing.F) {
	f.Add([]byte(`{"function":"hello","alias":"live","value":{"to":[{"version":5,"weight":10},{"version":4,"weight":90}],` +
		`"key":"{1}","canary":{"abort_on":"errors>2%","for":"5m"}},"revision":3}`))
	f.Add([]byte(`{"function":"hello","steps":2,"by":"me\n"}`))
	f.Add([]byte(`{"function":"hello","to":3}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ParseAliasRequest(b)
		_, _ = ParseAliasListRequest(b)
		if q, err := ParseRollbackRequest(b); err == nil && (q.Steps > 0) == (q.To > 0) {
			t.Errorf("%s: %d steps, to %d", b, q.Steps, q.To)
		}
		q, err := ParseAliasSetRequest(b)
		if err != nil {
			return
		}
		for bucket := range 100 {
			if v := q.Value.At(bucket); v < 1 {
				t.Errorf("bucket %d gets version %d", bucket, v)
			}
		}
		again, err := json.Marshal(q)
		if err == nil {
			_, err = ParseAliasSetRequest(again)
		}
		if err != nil {
			t.Errorf("%s is taken, and %s is not: %v", b, again, err)
		}
	})
}
