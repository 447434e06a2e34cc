//go:build frontdoor

package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// build is where pictures go, and where axe-core is.
const build = "../../../build"

// tab is a tab of a browser without a window.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu       sync.Mutex
	problems []string // that the browser has told of
}

// browse starts a browser, with a console whose functions are busy.
func browse(t *testing.T, b *bench) *tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("these tests need Chromium: make frontdoor-tools installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("force-color-profile", "srgb"))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	ctx, late := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(late)
	b2 := &tab{t: t, ctx: ctx, url: b.web.URL}
	chromedp.ListenTarget(ctx, b2.hear)
	b2.run(log.Enable())
	return b2
}

// hear takes note of what a browser complains about.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			for _, a := range e.Args {
				b.problems = append(b.problems, fmt.Sprintf("%s %s %s", e.Type, a.Description, a.Value))
			}
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			b.problems = append(b.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	case *cdp.EventJavascriptDialogOpening:
		go func() { _ = chromedp.Run(b.ctx, cdp.HandleJavaScriptDialog(true)) }()
	}
}

// quiet checks that the browser has had nothing to complain about.
func (b *tab) quiet(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Errorf("%s: %s", where, p)
	}
	b.problems = nil
}

// run does something in the tab.
func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// open goes to a page.
func (b *tab) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url + path))
}

// is evaluates an expression that is true or false.
func (b *tab) is(expression string) (yes bool) {
	b.t.Helper()
	b.run(chromedp.Evaluate("!!("+expression+")", &yes))
	return yes
}

// js runs statements.
func (b *tab) js(statements string) {
	b.t.Helper()
	b.is("(() => {" + statements + "; return true})()")
}

// until waits until an expression is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	for end := time.Now().Add(deadline); !b.is(expression); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			var text string
			b.run(chromedp.Evaluate("document.body.innerText", &text))
			b.t.Fatalf("never: %s\n%s", expression, text)
		}
	}
}

// scheme chooses light or dark, and the width of the window.
func (b *tab) scheme(name string, width int64) {
	b.t.Helper()
	height := int64(800)
	if width < 800 {
		height = 844
	}
	media := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}
	b.run(emulation.SetEmulatedMedia().WithFeatures(media),
		emulation.SetDeviceMetricsOverride(width, height, 1, width < 800))
}

// picture writes what the tab shows to a file in build.
func (b *tab) picture(name string) {
	b.t.Helper()
	var png []byte
	b.run(chromedp.CaptureScreenshot(&png))
	dir := filepath.Join(build, "console")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// axe checks the page with axe-core.
func (b *tab) axe(where string) {
	b.t.Helper()
	script, err := os.ReadFile(filepath.Join(build, "axe", "package", "axe.min.js"))
	if err != nil {
		b.t.Fatalf("these tests need axe-core in build/axe: make frontdoor-check gets it: %v", err)
	}
	var found string
	b.run(chromedp.Evaluate(string(script)+";1", nil), chromedp.Evaluate(
		`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id,
		help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + n.failureSummary.slice(0, 300))}))))`,
		&found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range violations {
		b.t.Errorf("%s: %s: %s\n%s", where, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
	}
}

// busy deploys functions and calls them until the test ends.
func (b *bench) busy() (dead string) {
	b.t.Helper()
	echo := func(language string) func(*protocol.Function) {
		return func(f *protocol.Function) { f.Language = language }
	}
	b.deploy("orders-validate", echo("Python"), func(f *protocol.Function) {
		f.HTTP = []protocol.HTTPRoute{{Route: "POST /orders/{id}", Auth: "key", Rate: "100/s"}, {Route: "GET /orders"}}
		f.WebSocket = []protocol.WebSocketRoute{{Route: "/orders/live/{region}", Topics: []string{"orders.{region}"}}}
		f.Triggers = []protocol.Trigger{{Subject: "orders.new.*", To: "orders.valid.{1}"}}
		f.Job = &protocol.Job{}
		f.Env = map[string]string{"CURRENCY": "EUR", "REGION": "north"}
	})
	b.deploy("orders-price", echo("Rust"))
	b.deploy("orders-tax", echo("Go"), func(f *protocol.Function) { f.Job = &protocol.Job{} })
	b.deploy("receipt", echo("JavaScript"))
	b.deploy("thumbnail", echo("C"))
	b.deploy("report-daily", echo("Ruby"), func(f *protocol.Function) {
		f.Triggers = []protocol.Trigger{{Schedule: "30 6 * * 1-5", Zone: "Europe/Berlin"}, {Schedule: "@every 15m"}}
	})
	for i := range 4 {
		dead = b.job("orders-validate", fmt.Sprintf(`{"order": %d, "item": "lamp"}`, 1041+i), "exit", "65")
	}
	b.job("orders-tax", `{"order": 7}`)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	b.t.Cleanup(func() { stop(); running.Wait() })
	running.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			b.traffic(ctx, i)
			select {
			case <-time.After(time.Duration(8+i%7*4) * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	return dead
}

// traffic makes one of the calls of a busy console.
func (b *bench) traffic(ctx context.Context, i int) {
	name := []string{"orders-validate", "orders-validate", "orders-price", "orders-tax", "receipt", "orders-validate",
		"thumbnail"}[i%7]
	if wave := i / 150 % 4; wave == i%4 || wave == 3 && i%2 == 0 {
		name = "orders-validate" // so that not all lines are alike
	}
	r := &protocol.Request{Function: protocol.Ref{Name: name}, ID: fmt.Sprintf("0198c2f4-%04x-7%03x", i, i*7%4096),
		Body: fmt.Appendf(nil, `{"order": %d, "item": "lamp", "price": 49.9}`, 1000+i)}
	switch {
	case i%41 == 40:
		r.Args = []string{"exit", "65"}
	case i%97 == 96:
		r.Args = []string{"trap"}
	case i%11 == 10:
		line := protocol.LogLine{Function: protocol.Ref{Name: "orders-validate", Version: "1"}, ID: r.ID,
			Text: fmt.Sprintf("order %d: 2 lines, %d.80 EUR, to be sent to Oslo", 1000+i, 40+i%50)}
		h, body := line.Message()
		_ = b.Conn.PublishMsg(&nats.Msg{Subject: protocol.LogSubject("orders-validate"), Header: nats.Header(h), Data: body})
	case i%13 == 12:
		r.Args = []string{"sleep", "30"}
	}
	_, _ = b.Client.Call(ctx, r) // some of them fail on purpose
}

// views are the paths of all views.
func views(dead string) map[string]string {
	return map[string]string{"functions": "/_/", "function": "/_/functions/orders-validate", "calls": "/_/calls",
		"playground": "/_/playground?function=orders-price",
		"upload":     "/_/upload", "jobs": "/_/jobs", "job": "/_/jobs/" + dead,
		"dead": "/_/dead", "letter": "/_/dead/" + dead, "schedules": "/_/schedules", "connections": "/_/connections",
		"invokers": "/_/invokers", "runtimes": "/_/runtimes", "languages": "/_/languages", "language": "/_/languages/go",
		"call": "/_/calls/1"}
}

// TestBrowserViews looks at every view in both schemes and at phone width: nothing fails in the browser, axe-core finds
// nothing, nothing is wider than the screen, and pictures are written.
func TestBrowserViews(t *testing.T) {
	b := start(t)
	dead := b.busy()
	b.eventually("/_/dead", dead)
	tab := browse(t, b)
	tab.open("/_/")
	if os.Getenv("POLYVOKE_PICTURES") != "" { // those of the documentation, whose lines are to have some length
		time.Sleep(100 * time.Second)
		for _, p := range [][3]string{{"functions", "light", "/_/"}, {"function", "dark", "/_/functions/orders-validate"}} {
			tab.scheme(p[1], 1280)
			tab.open(p[2])
			tab.until(`document.querySelector("#live.on") !== null`)
			tab.picture("docs-" + p[0])
		}
		return
	}
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"phone", "light", 390}} {
		tab.scheme(look.scheme, look.width)
		for name, path := range views(dead) {
			if name == "call" {
				path = fmt.Sprintf("/_/calls/%d", b.calls.Last(1, func(c *recent.Call) bool { return c.Code != 0 })[0].Seq)
			}
			where := name + " " + look.name
			tab.open(path)
			if name == "functions" || name == "function" || name == "calls" {
				tab.until(`document.querySelector("#live.on") !== null`)
				tab.until(`document.querySelector(".wait") === null`)
			}
			tab.axe(where)
			if !tab.is(`document.documentElement.scrollWidth <= innerWidth`) {
				t.Errorf("%s: it is wider than the screen", where)
			}
			tab.picture(name + "-" + look.name)
			tab.quiet(where)
		}
	}
}

// firstRow loads the list of functions and returns how long after the page its first row was there, in milliseconds.
func (b *tab) firstRow() (took float64) {
	b.t.Helper()
	b.open("/_/")
	b.until(`window.firstRow !== undefined`)
	b.run(chromedp.Evaluate(`window.firstRow - performance.getEntriesByType("navigation")[0].responseEnd`, &took))
	return took
}

// TestBrowserLive checks that data move without a reload, that a choice of a row stays, and that keys work.
func TestBrowserLive(t *testing.T) {
	const target = 300 // milliseconds, on a machine that has time
	b := start(t)
	b.busy()
	tab := browse(t, b)
	tab.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := cdp.AddScriptToEvaluateOnNewDocument(`new MutationObserver((_, o) => {
			if (document.querySelector("tbody tr .name a")) { window.firstRow = performance.now(); o.disconnect(); }
		}).observe(document, {childList: true, subtree: true})`).Do(ctx)
		return err
	}))
	first := tab.firstRow()
	for range 4 { // the best of five, since others may use the machine
		if first > target {
			first = min(first, tab.firstRow())
		}
	}
	t.Logf("the first row was there %.0f ms after the page, and should be after %d ms", first, target)
	if first > 10*target { // how busy a machine may be
		t.Errorf("the first row came %.0f ms after the page", first)
	}
	tab.run(chromedp.KeyEvent("j"),
		chromedp.KeyEvent("j"), chromedp.KeyEvent("k"))
	tab.until(`document.querySelector("tr.chosen")?.dataset.key === document.querySelector("tbody tr").dataset.key`)
	tab.until(`document.activeElement.closest("tr.chosen") !== null`)
	tab.js(`window.before = document.querySelector("#functions").innerText`)
	tab.until(`document.querySelector("#functions").innerText !== window.before`)
	tab.until(`document.activeElement.closest("tr.chosen") !== null`)
	tab.run(chromedp.KeyEvent("/"))
	tab.until(`document.activeElement.type === "search"`)
	tab.js(`document.activeElement.value = ""`) // a key of chromedp is typed even if the page has taken it
	tab.run(chromedp.SendKeys("[type=search]", "rust"))
	tab.until(`[...document.querySelectorAll("#functions tr")].filter(r => !r.hidden).length === 1`)
	b.deploy("brand-new", func(f *protocol.Function) { f.Language = "Rust" })
	tab.until(`[...document.querySelectorAll("#functions tr")].filter(r => !r.hidden).length === 2`)
	tab.run(chromedp.KeyEvent("\x1b"), chromedp.KeyEvent("?"))
	tab.until(`document.querySelector("#help").open`)
	tab.run(chromedp.KeyEvent("\x1b"))
	tab.until(`!document.querySelector("#help").open`)
	tab.run(chromedp.KeyEvent("g"), chromedp.KeyEvent("c"))
	tab.until(`location.pathname === "/_/calls" && document.querySelectorAll("#calls tr").length > 5`)
	tab.js(`window.top1 = document.querySelector("#calls tr").dataset.key`)
	tab.until(`document.querySelector("#calls tr").dataset.key !== window.top1`)
	tab.run(chromedp.KeyEvent("j"), chromedp.KeyEvent("\r"))
	tab.until(`location.pathname.startsWith("/_/calls/")`)
	tab.open("/_/functions/orders-validate")
	tab.js(`window.lines = document.querySelector("#log").innerText`)
	tab.until(`document.querySelector("#log").innerText !== window.lines`)
	tab.quiet("live")
}

// TestBrowserWork makes a call in the playground, saves it as a draft, uploads a module and redrives a dead letter.
func TestBrowserWork(t *testing.T) {
	b := start(t)
	b.deploy("greet")
	dead := b.job("greet", "dead", "exit", "65")
	b.eventually("/_/dead", dead)
	tab := browse(t, b)
	tab.open("/_/playground?function=greet")
	tab.run(chromedp.SendKeys("textarea[name=body]", `{"name":"Ada"}`), chromedp.Click("[data-format]"),
		chromedp.Click("[data-save]"), chromedp.Click("[data-play] .primary"))
	tab.until(`document.querySelector("#outcome pre")?.innerText.includes('"name": "Ada"')`)
	tab.open("/_/playground?function=greet")
	tab.js(`const d = document.querySelector("[data-drafts]"); d.value = "0"; d.dispatchEvent(new Event("change"))`)
	tab.until(`document.querySelector("textarea[name=body]").value.includes("Ada")`)

	module := filepath.Join(t.TempDir(), "dropped.wasm")
	if err := os.WriteFile(module, runtimestest.Wasm(), 0o600); err != nil {
		t.Fatal(err)
	}
	tab.open("/_/upload")
	tab.run(chromedp.SetUploadFiles("input[type=file]", []string{module}), chromedp.Click("[data-upload] .primary"))
	tab.until(`document.querySelector("#deployed h2")?.innerText.includes("dropped version 1")`)
	// A file that is dropped on the page, as a browser hands it over.
	tab.open("/_/upload")
	tab.js(`const d = new DataTransfer(); d.items.add(new File(["no module"], "bad.wasm"));
		document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: d, bubbles: true}))`)
	tab.until(`document.querySelector("[data-chosen]").innerText === "bad.wasm"`)
	tab.quiet("before the refusal")
	tab.run(chromedp.Click("[data-upload] .primary"))
	tab.until(`document.querySelector("#main > .banner.bad") !== null`)
	tab.mu.Lock()
	tab.problems = nil // a refusal is an error in the browser's log
	tab.mu.Unlock()

	tab.open("/_/dead")
	tab.run(chromedp.Click("input[name=job]"), chromedp.Click("button[value=drop]"))
	tab.until(`document.querySelector(".banner.ok")?.innerText.includes("Removed: 1 dead letter.")`)
	tab.quiet("work")
}

// TestScriptIsSmall checks how much script a page loads.
func TestScriptIsSmall(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for name, a := range assets() {
		if strings.HasSuffix(name, ".js") {
			if _, err := z.Write(a.body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("all script is %d bytes in gzip", packed.Len())
	if packed.Len() > 40<<10 {
		t.Errorf("all script is %d bytes in gzip", packed.Len())
	}
}
