//go:build frontdoor

package samples_test

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// window is a window of a browser that shows a list of things to do.
type window struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // that the browser has told of
}

// openWindow opens a page in a browser of its own.
func openWindow(t *testing.T, url string) *window {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil && path == "" {
			path = p
		}
	}
	if path == "" {
		t.Fatal("this test needs Chromium: make frontdoor-tools installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	ctx, late := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(late)
	w := &window{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, w.hear)
	w.run(log.Enable(), chromedp.Navigate(url))
	w.until(`document.querySelector("#state").textContent === ""`)
	return w
}

// hear takes note of what a browser complains about.
func (w *window) hear(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.problems = append(w.problems, e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError && !strings.HasSuffix(e.Entry.URL, "/favicon.ico") {
			w.problems = append(w.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// quiet checks that the browser has had nothing to complain about.
func (w *window) quiet() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.problems {
		w.t.Error(p)
	}
}

// run does something in the window.
func (w *window) run(actions ...chromedp.Action) {
	w.t.Helper()
	if err := chromedp.Run(w.ctx, actions...); err != nil {
		w.t.Fatal(err)
	}
}

// until waits until an expression is true.
func (w *window) until(expression string) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // between two looks
		var yes bool
		w.run(chromedp.Evaluate("!!("+expression+")", &yes))
		if yes {
			return
		}
		if time.Now().After(end) {
			var text string
			w.run(chromedp.Evaluate("document.body.innerText", &text))
			w.t.Fatalf("never: %s\n%s", expression, text)
		}
	}
}

// shows waits until the window shows these items, each text with a mark in front if it is done.
func (w *window) shows(items ...string) {
	w.t.Helper()
	w.until(`[...document.querySelectorAll("li")].map(li => (li.querySelector("input").checked ? "x " : "") +
		li.querySelector("label").textContent).join("|") === ` + "`" + strings.Join(items, "|") + "`")
}

// TestTodoBrowser has two people look at one list in a real browser: each sees what the other one does, and what has
// happened while the page was not connected.
func TestTodoBrowser(t *testing.T) {
	eachLanguage(t, "todo", 1, func(g granted) {
		url := g.todoDoor() + "/todo/home"
		ada, bob := openWindow(g.t, url), openWindow(g.t, url)
		see := func(items ...string) { ada.shows(items...); bob.shows(items...) }
		see()
		const markup = "<b>milk</b> & tea" // is text
		ada.run(chromedp.SendKeys("input[type=text]", markup+"\r", chromedp.ByQuery))
		see(markup)
		bob.run(chromedp.SendKeys("input[type=text]", "bread\r", chromedp.ByQuery))
		see(markup, "bread")
		bob.until(`document.querySelector("input[type=text]").value === ""`)
		ada.run(chromedp.Click("li:nth-child(2) input", chromedp.ByQuery))
		see(markup, "x bread")
		bob.run(chromedp.Click("li:nth-child(1) button", chromedp.ByQuery))
		see("x bread")
		ada.run(chromedp.Click("li:nth-child(1) label", chromedp.ByQuery))
		see("bread")
		ada.quiet()
		bob.quiet()

		// Somebody who comes later, and somebody without a browser.
		todo(g.t, "POST", url+"/items", `{"text":"by hand"}`)
		see("bread", "by hand")
		ada.run(chromedp.Reload())
		ada.shows("bread", "by hand")

		// What is refused is said.
		bob.run(chromedp.Evaluate(`document.querySelector("input[type=text]").value = "ü".repeat(150)`, nil),
			chromedp.Click("form button", chromedp.ByQuery))
		bob.until(`document.querySelector("#state").textContent.includes("That did not work")`)
		see("bread", "by hand")
	})
}
