package ui

import (
	"net/http"
	"strings"
	"time"
)

const (
	// IssuerPath sends a browser to the issuer, ReturnPath is where it comes back to.
	IssuerPath = "/ui/login/issuer"
	ReturnPath = "/ui/login/return"
	// absence is how long somebody may be at the issuer.
	absence = 10 * time.Minute
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
	// Issuer is the name of the issuer at which people can log in, if there is one.
	Issuer string
	Next   string
	Why    string
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
	l.enter(w, r, login, sessionLife)
}

// depart sends a browser to the issuer, with a secret to come back with. Its cookie is sent along when another site leads here (Lax): the
// issuer does.
func (l *logins) depart(w http.ResponseWriter, r *http.Request) {
	secret, _ := newSecret()
	to, err := l.door.Issuer.Begin(r, secret)
	if err != nil {
		l.page(w, r, http.StatusServiceUnavailable, loginPage{Why: "Not now: " + err.Error() + "."})
		return
	}
	http.SetCookie(w, l.awayCookie(secret, int(absence.Seconds())))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// comeBack logs in who comes back from the issuer.
func (l *logins) comeBack(w http.ResponseWriter, r *http.Request) {
	secret := ""
	if c, err := r.Cookie(l.cookie() + awaySuffix); err == nil {
		secret = c.Value
	}
	http.SetCookie(w, l.awayCookie("", -1))
	login, lasts, err := l.door.Issuer.Finish(r, secret)
	if err != nil {
		l.page(w, r, http.StatusForbidden, loginPage{Why: "Not logged in: " + err.Error() + "."})
		return
	}
	l.enter(w, r, login, lasts)
}

// awaySuffix ends the name of the cookie of a browser that is at the issuer.
const awaySuffix = "-away"

func (l *logins) awayCookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: l.cookie() + awaySuffix, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
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
	l.enter(w, r, login, sessionLife)
}

// enter begins a session that lasts so long, at most sessionLife.
func (l *logins) enter(w http.ResponseWriter, r *http.Request, login Login, lasts time.Duration) {
	lasts = min(lasts, sessionLife)
	http.SetCookie(w, &http.Cookie{
		Name: l.cookie(), Value: l.ui.opts.Sessions.begin(login, time.Now(), lasts), Path: "/", MaxAge: int(lasts.Seconds()),
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
	if l.door.Issuer != nil {
		p.Issuer = l.door.Issuer.Name
	}
	v := &visit{ui: l.ui, w: w, r: r, door: l, Now: time.Now()}
	v.render(status, "login", v.page(pageDef{name: "login", title: "Log in", path: "/ui/login"}, p))
}
