package frontdoor

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestOpenAPI checks the document by the rules of OpenAPI 3.1 that its parts must keep. The whole of it is read by a
// validator in make frontdoor-check.
func TestOpenAPI(t *testing.T) {
	api := &API{Version: "1.2.3", Auth: protocol.AuthKey, Functions: func() []*protocol.Function {
		return []*protocol.Function{
			{Name: "orders", HTTP: []protocol.HTTPRoute{
				{Route: "POST /orders/{id}", Type: "application/json"}, {Route: "/files/{path...}", Auth: "none"},
				{Route: "GET api.example.org/orders/{$}"}, {Route: "PURGE /orders"},
			}},
			{Name: "chat", WebSocket: []protocol.WebSocketRoute{{Route: "/chat/{room}", Auth: "jwt"}}},
			{Name: "files", HTTP: []protocol.HTTPRoute{{Route: "GET /files_/{path}"}}},
		}
	}}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, pathOpenAPI, nil))
	var d struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct {
				Name, In string
				Required bool
				Greedy   bool `json:"x-polyvoke-greedy"`
			}
			Responses map[string]json.RawMessage
			Security  []map[string][]string
			Servers   []struct{ URL string }
		}
		Components struct{ SecuritySchemes map[string]json.RawMessage }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 200 || d.OpenAPI != "3.1.0" {
		t.Fatalf("%d %v: %s", w.Code, err, w.Body)
	}
	inBraces := regexp.MustCompile(`{([^}]*)}`)
	ids := map[string]string{}
	for path, item := range d.Paths {
		for method, o := range item {
			at := method + " " + path
			if other := ids[o.OperationID]; other != "" || o.OperationID == "" {
				t.Errorf("%s and %s have the same id %q", at, other, o.OperationID)
			}
			ids[o.OperationID] = at
			var want, got []string
			for _, m := range inBraces.FindAllStringSubmatch(path, -1) {
				want = append(want, m[1])
			}
			for _, p := range o.Parameters {
				if p.In == "path" && p.Required {
					got = append(got, p.Name)
				}
			}
			if !slices.Equal(got, want) || !strings.HasPrefix(path, "/") {
				t.Errorf("%s has the parameters %q", at, got)
			}
			if len(o.Responses) == 0 {
				t.Errorf("%s has no responses", at)
			}
			for _, s := range o.Security {
				for name := range s {
					if d.Components.SecuritySchemes[name] == nil {
						t.Errorf("%s needs %q, which is not described", at, name)
					}
				}
			}
		}
	}
	for path, methods := range map[string][]string{
		"/orders/{id}": {"post"}, "/files/{path}": anyMethod, "/orders/": {"get"}, "/chat/{room}": {"get"},
		"/fn/orders": anyMethod, "/fn/chat": anyMethod, "/job/{function}": {"post"}, "/job/{id}": {"get"},
		"/healthz": {"get"}, "/readyz": {"get"}, "/_/openapi.json": {"get"},
	} {
		for _, m := range methods {
			if _, ok := d.Paths[path][m]; !ok {
				t.Errorf("%s %s is missing", m, path)
			}
		}
		if len(d.Paths[path]) != len(methods) {
			t.Errorf("%s has %d methods, want %q", path, len(d.Paths[path]), methods)
		}
	}
	if s := d.Paths["/orders/"]["get"].Servers; len(s) != 1 || s[0].URL != "//api.example.org" {
		t.Errorf("servers %v", s)
	}
	if p := d.Paths["/files/{path}"]["get"]; !p.Parameters[0].Greedy || len(p.Security) != 0 {
		t.Errorf("got %+v", p)
	}
	if s := d.Paths["/fn/orders"]["post"].Security; len(s) != 1 || s[0]["key"] == nil {
		t.Errorf("security %v", s)
	}
}
