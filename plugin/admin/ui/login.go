package ui

import (
	"net/http"
	"strings"
	"time"
)

// logins are the ways in by one door.
type logins struct {
	ui   *UI
	door Door
}

// cookie is the name of the session's cookie. Browsers do not tell the ports of a machine apart: each node has a name of its own.
func (l *logins) cookie() string {
	return "__Host-fairlead-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, l.ui.opts.Node)
}

// of is who asks.
func (l *logins) of(r *http.Request) (Login, bool) {
	now := time.Now()
	for _, c := range r.CookiesNamed(l.cookie()) {
		login, ok := l.ui.opts.Sessions.find(c.Value, now)
		if ok && (login.Token == "" || l.ui.opts.Backend.TokenGood(login.Name, login.Token)) {
			return login, true
		}
	}
	if l.door.Identify != nil {
		return l.door.Identify(r)
	}
	return Login{}, false
}

// refuse answers somebody who is not known: a page is shown after the login, a stream ends.
func (l *logins) refuse(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/ui/live/") && r.Header.Get("HX-Request") == "" {
		http.Redirect(w, r, "/ui/login", http.StatusSeeOther)
		return
	}
	http.Error(w, "not logged in", http.StatusUnauthorized)
}

// loginPage is what the page for logins shows.
type loginPage struct {
	// Token is set where one can be typed. Next is set once somebody is in; Why says why not.
	Token bool
	Next  string
	Why   string
}

// show shows the page for logins, and takes a one-time link. A link is followed by a page and not by a redirect: the cookie goes with
// requests that begin on a page of ours alone (SameSite=Strict), and the link may have been opened anywhere.
func (l *logins) show(w http.ResponseWriter, r *http.Request) {
	secret := r.URL.Query().Get("link")
	if secret == "" {
		l.page(w, r, http.StatusOK, loginPage{})
		return
	}
	login, ok := l.ui.opts.Sessions.redeem(secret, time.Now())
	if !ok {
		l.page(w, r, http.StatusForbidden, loginPage{Why: "This link has been used, or is older than a minute."})
		return
	}
	l.enter(w, r, login)
}

// take takes a token.
func (l *logins) take(w http.ResponseWriter, r *http.Request) {
	if l.door.Token == nil {
		l.page(w, r, http.StatusForbidden, loginPage{Why: "Tokens are for TCP."})
		return
	}
	login, err := l.door.Token(r, strings.TrimSpace(r.PostFormValue("token")))
	if err != nil {
		l.page(w, r, http.StatusForbidden, loginPage{Why: "Not taken: " + err.Error() + "."})
		return
	}
	l.enter(w, r, login)
}

func (l *logins) enter(w http.ResponseWriter, r *http.Request, login Login) {
	http.SetCookie(w, &http.Cookie{
		Name: l.cookie(), Value: l.ui.opts.Sessions.begin(login, time.Now()), Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Refresh", "0; url=/ui/")
	l.page(w, r, http.StatusOK, loginPage{Next: "/ui/"})
}

// leave ends the session.
func (l *logins) leave(w http.ResponseWriter, r *http.Request) {
	for _, c := range r.CookiesNamed(l.cookie()) {
		l.ui.opts.Sessions.end(c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: l.cookie(), Path: "/", MaxAge: -1, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/ui/login", http.StatusSeeOther)
}

func (l *logins) page(w http.ResponseWriter, r *http.Request, status int, p loginPage) {
	p.Token = l.door.Token != nil
	v := &visit{ui: l.ui, w: w, r: r, door: l, Now: time.Now()}
	v.render(status, "login", v.page(pageDef{name: "login", title: "Log in", path: "/ui/login"}, p))
}
