package console

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// cookie is the name of the cookie of a login.
	cookie = "polyvoke_console"
	// loginLasts is how long a login lasts.
	loginLasts = 12 * time.Hour
	// maxLogins is how many there can be at a time; the oldest goes.
	maxLogins = 256
	// triesEvery and maxTries say how often a token can be tried.
	triesEvery, maxTries = time.Second, 10
	// maxForm is how long the form of an ordinary request can be, in bytes.
	maxForm = 2 << 20
)

// policy is what pages may load and do: nothing from elsewhere, and no script or style that is written in a page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// NewToken returns a token that nobody can guess, for Config.Token.
func NewToken() string { return rand.Text() }

// guard refuses what does not come from a page of the console, or from somebody who may look.
func (k *Console) guard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.refuse(w, r, http.StatusForbidden, "The request comes from a page that is not the console's.",
			"Open the console itself, and do it there.")
	}))
	inner := origins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k.admits(w, r) {
			r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(r))
			next.ServeHTTP(w, r)
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !k.knowsHost(r.Host):
			k.refuse(w, r, http.StatusMisdirectedRequest, fmt.Sprintf("The console does not answer to the name %.100q.", r.Host),
				"Use localhost or the address, or name it when you start polyvoke.")
		case foreign(r):
			k.refuse(w, r, http.StatusForbidden, "A page from elsewhere wants to look at the console.", "Open it yourself.")
		default:
			inner.ServeHTTP(w, r)
		}
	})
}

// bodyLimit returns how long the body of a request may be, in bytes.
func bodyLimit(r *http.Request) int64 {
	if r.URL.Path == "/_/upload" {
		return int64(protocol.DefaultModule) * 4
	}
	return maxForm * 5
}

// knowsHost reports whether a browser may call the console so. An address needs no name to be resolved, so nobody can
// have bound it.
func (k *Console) knowsHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name == "localhost" || slices.ContainsFunc(k.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// foreign reports whether a browser says that a page from elsewhere has asked for more than to go to the console.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Method != http.MethodGet
}

// admits reports whether somebody may look, and else says what to do.
func (k *Console) admits(w http.ResponseWriter, r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/_/static/") {
		return true
	}
	switch {
	case k.Admit != nil:
		err := k.Admit(r)
		if err == nil {
			return true
		}
		k.refuse(w, r, max(http.StatusBadRequest, protocol.CodeOf(err)), protocol.MessageOf(err), "")
	case k.Token == "":
		if local(r) {
			return true
		}
		k.refuse(w, r, http.StatusForbidden, "Without a token the console answers only on its own machine.",
			"Start polyvoke with a console token, or make a tunnel: ssh -L 8080:localhost:8080 HOST")
	case r.URL.Path == "/_/login" || k.logins.has(r):
		return true
	case strings.HasPrefix(r.URL.Path, "/_/live/"):
		http.Error(w, "log in again", http.StatusUnauthorized)
	default:
		http.Redirect(w, r, "/_/login", http.StatusSeeOther)
	}
	return false
}

// local reports whether a request comes from this machine, and not by way of a proxy on it.
func local(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback()
}

// logins are the browsers that have presented the token. Its zero value is ready to use.
type logins struct {
	mu    sync.Mutex
	until map[string]time.Time // by what the cookie has
	tries []time.Time          // of the last second
}

// try takes note of a try, and reports whether there have not been too many.
func (l *logins) try(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries = slices.DeleteFunc(l.tries, func(t time.Time) bool { return now.Sub(t) > triesEvery })
	if len(l.tries) >= maxTries {
		return false
	}
	l.tries = append(l.tries, now)
	return true
}

// add returns the value of a new cookie.
func (l *logins) add(now time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil {
		l.until = map[string]time.Time{}
	}
	oldest := ""
	for value, until := range l.until {
		if now.After(until) {
			delete(l.until, value)
		} else if oldest == "" || until.Before(l.until[oldest]) {
			oldest = value
		}
	}
	if len(l.until) >= maxLogins {
		delete(l.until, oldest)
	}
	value := rand.Text() + rand.Text()
	l.until[value] = now.Add(loginLasts)
	return value
}

// has reports whether a request has the cookie of a login.
func (l *logins) has(r *http.Request) bool {
	c, err := r.Cookie(cookie)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	until, ok := l.until[c.Value]
	return ok && time.Now().Before(until)
}

// remove ends the login of a request.
func (l *logins) remove(r *http.Request) {
	if c, err := r.Cookie(cookie); err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.until, c.Value)
	}
}

// loginPage asks for the token.
func (k *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	k.render(w, r, http.StatusOK, "login", page{Title: "Log in", Bare: true})
}

// login takes the token, and gives a cookie for it.
func (k *Console) login(w http.ResponseWriter, r *http.Request) {
	if k.Token == "" {
		http.Redirect(w, r, Path, http.StatusSeeOther)
		return
	}
	now := time.Now()
	if !k.logins.try(now) {
		w.Header().Set("Retry-After", "1")
		k.refuse(w, r, http.StatusTooManyRequests, "There were too many tries.", "Wait a moment.")
		return
	}
	given := strings.TrimSpace(r.PostFormValue("token"))
	if subtle.ConstantTimeCompare([]byte(given), []byte(k.Token)) != 1 {
		k.Log.Warn("console: wrong token", "client", r.RemoteAddr)
		k.render(w, r, http.StatusUnauthorized, "login", page{Title: "Log in", Bare: true,
			Problem: "This is not the token. polyvoke prints it when it starts."})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: k.logins.add(now), Path: Path, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil, MaxAge: int(loginLasts.Seconds())})
	http.Redirect(w, r, Path, http.StatusSeeOther)
}

// logout ends a login.
func (k *Console) logout(w http.ResponseWriter, r *http.Request) {
	k.logins.remove(r)
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: Path, MaxAge: -1, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil})
	http.Redirect(w, r, "/_/login", http.StatusSeeOther)
}

// refuse says why a request is not answered, and what to do.
func (k *Console) refuse(w http.ResponseWriter, r *http.Request, status int, why, todo string) {
	k.render(w, r, status, "problem", page{Title: http.StatusText(status), Bare: true,
		Problem: why, Data: todo})
}

// missing answers what has no page.
func (k *Console) missing(w http.ResponseWriter, r *http.Request) {
	k.fail(w, r, protocol.Errorf(protocol.CodeNotFound, "", "there is no such page: use the list on the left"))
}
