package samples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/gateway/websocket"
)

// todoDoor deploys the sample and answers HTTP and WebSockets for it, until the end of the test. It returns its URL.
func (g *granted) todoDoor() string {
	g.t.Helper()
	g.deploy()
	hub := websocket.New(websocket.Config{Caller: g.Client, Conn: g.Conn})
	door := gateway.New(gateway.Config{Caller: g.Client, Sockets: hub})
	door.Apply(&g.manifest)
	s := httptest.NewServer(door)
	g.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := hub.Drain(ctx); err != nil {
			g.t.Errorf("Drain: %v", err)
		}
		s.Close()
	})
	return s.URL
}

// todoItem is what to do.
type todoItem struct {
	ID, Text string
	Done     bool
	N        int
}

// todoMessage is what a page hears.
type todoMessage struct {
	Items []todoItem
	Put   *todoItem
	Gone  string
}

// TestTodo changes a list by HTTP, as pages do, and hears of it as they do.
func TestTodo(t *testing.T) {
	eachLanguage(t, "todo", 1, func(g granted) {
		url := g.todoDoor() + "/todo/home"
		page := dialTodo(g.t, url)
		if m := page.hear(); len(m.Items) != 0 || m.Put != nil {
			g.t.Errorf("a new list has %+v", m)
		}
		other := dialTodo(g.t, strings.Replace(url, "home", "work", 1))
		other.hear()
		status, body := todo(g.t, "POST", url+"/items", `{"text":" Tee für 世界 <b> "}`)
		tea := page.hear().Put
		if status != 200 || tea == nil || tea.Text != "Tee für 世界 <b>" || tea.Done || !strings.Contains(body, tea.ID) {
			g.t.Fatalf("added %+v: %d %s", tea, status, body)
		}
		todo(g.t, "POST", url+"/items", `{"text":"milk"}`)
		milk := page.hear().Put
		status, _ = todo(g.t, "PATCH", url+"/items/"+tea.ID, `{"done":true}`)
		if got := page.hear().Put; status != 200 || got == nil || !got.Done || got.Text != tea.Text || got.N != 2 {
			g.t.Errorf("done: %d %+v", status, got)
		}
		status, _ = todo(g.t, "DELETE", url+"/items/"+milk.ID, "")
		if got := page.hear().Gone; status != 200 || got != milk.ID {
			g.t.Errorf("removed: %d %q", status, got)
		}
		if again := dialTodo(g.t, url).hear().Items; len(again) != 1 || again[0].Text != tea.Text || !again[0].Done {
			g.t.Errorf("a page that comes later gets %+v", again)
		}
		g.badTodos(url, tea.ID)
		todo(g.t, "POST", strings.Replace(url, "home", "work", 1)+"/items", `{"text":"last"}`)
		if got := other.hear().Put; got == nil || got.Text != "last" {
			g.t.Errorf("another list hears %+v first", got)
		}
		g.todosAtATime(url)
	})
}

// badTodos sends requests that must change nothing.
func (g *granted) badTodos(url, id string) {
	g.t.Helper()
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/items", "", 400}, {"POST", "/items", "{", 400}, {"POST", "/items", "null", 400}, {"POST", "/items", "7", 400},
		{"POST", "/items", `{"text":""}`, 400}, {"POST", "/items", `{"text":"a\nb"}`, 400}, {"POST", "/items", `{"text":7}`, 400},
		{"POST", "/items", `{"text":"` + strings.Repeat("ü", 101) + `"}`, 400}, {"POST", "/items", `{"done":true}`, 400},
		{"PATCH", "/items/" + id, "{}", 400}, {"PATCH", "/items/" + id, `{"done":"yes"}`, 400},
		{"PATCH", "/items/none", `{"done":true}`, 404}, {"DELETE", "/items/none", "", 404},
		{"DELETE", "/items/..%2F" + id, "", 404}, {"DELETE", "/items/_fn", "", 404}, {"PUT", "/items/" + id, "", 405},
	} {
		if status, body := todo(g.t, c.method, url+c.path, c.body); status != c.status {
			g.t.Errorf("%s %s %.40s: %d %s, want %d", c.method, c.path, c.body, status, body, c.status)
		}
	}
	for _, list := range []string{"a.b", "%2e%2e", "a%2Fb", strings.Repeat("x", 65), "a%20b"} {
		at := strings.Replace(url, "home", list, 1)
		if status, _ := todo(g.t, "GET", at+"/items", ""); status != 400 {
			g.t.Errorf("list %s: %d", list, status)
		}
	}
	if status, body := todo(g.t, "GET", url+"/items", ""); status != 200 || strings.Count(body, `"id"`) != 1 {
		g.t.Errorf("after bad requests: %d %s", status, body)
	}
	if status, body := todo(g.t, "GET", url, ""); status != 200 || !strings.HasPrefix(body, "<!doctype html>") {
		g.t.Errorf("the page: %d %.100s", status, body)
	}
}

// todosAtATime changes one item from many places at a time: each change counts.
func (g *granted) todosAtATime(url string) {
	g.t.Helper()
	_, body := todo(g.t, "POST", url+"/items", `{"text":"busy"}`)
	var m todoMessage
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.Put == nil {
		g.t.Fatalf("%s: %v", body, err)
	}
	const callers = 6
	errs := make(chan error, callers)
	for range callers {
		go func() {
			for { // a conflict that lasts is the client's to repeat
				status, body, err := askTodo("PATCH", url+"/items/"+m.Put.ID, `{"done":true}`)
				if status != http.StatusConflict || err != nil {
					if err == nil && status != 200 {
						err = fmt.Errorf("%d %s", status, body)
					}
					errs <- err
					return
				}
			}
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			g.t.Error(err)
		}
	}
	_, body = todo(g.t, "GET", url+"/items", "")
	if want := fmt.Sprintf(`"n":%d}`, callers+1); !strings.Contains(body, want) {
		g.t.Errorf("%s has no %s", body, want)
	}
}

// todo sends a request.
func todo(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	status, answer, err := askTodo(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

// askTodo sends a request, from any goroutine.
func askTodo(method, url, body string) (status int, answer string, err error) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return a.StatusCode, string(text), err
}

// todoPage is a WebSocket of a page.
type todoPage struct {
	t  *testing.T
	ws *gorilla.Conn
}

// dialTodo opens it, until the end of the test.
func dialTodo(t *testing.T, url string) todoPage {
	t.Helper()
	return todoPage{t, dialChat(t, "ws"+strings.TrimPrefix(url, "http")+"/live")}
}

// hear waits for a message.
func (p todoPage) hear() (m todoMessage) {
	p.t.Helper()
	_, text, err := p.ws.ReadMessage()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err == nil {
		err = d.Decode(&m)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	return m
}
