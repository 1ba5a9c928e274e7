package oidctest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"sync"
)

// A flow is the part of an issuer that logs browsers in: the authorization code flow, with PKCE alone.
type flow struct {
	mu sync.Mutex
	// The rest is guarded by mu. secrets are those of clients, by their ids, and empty for public ones; person are the claims of whoever
	// sits at the browser; refusal is what it says instead of a code; codes wait for their exchange.
	secrets map[string]string
	person  map[string]any
	refusal string
	codes   map[string]pending
	// exchanged counts the questions for tokens.
	exchanged int
}

// pending is a login that waits for the client to come for its token.
type pending struct {
	client, back, nonce, challenge string
	claims                         map[string]any
}

// Client has the issuer know a client and its secret; an empty one makes it public.
func (i *Issuer) Client(id, secret string) {
	i.flow.mu.Lock()
	defer i.flow.mu.Unlock()
	if i.flow.secrets == nil {
		i.flow.secrets, i.flow.codes = make(map[string]string), make(map[string]pending)
	}
	i.flow.secrets[id] = secret
}

// Person is who logs in from now on, with claims beside those that Claims makes.
func (i *Issuer) Person(subject string, claims map[string]any, groups ...string) {
	i.flow.mu.Lock()
	defer i.flow.mu.Unlock()
	i.flow.person, i.flow.refusal = i.Claims("", subject, groups...), ""
	maps.Copy(i.flow.person, claims)
}

// Refuse has the issuer send browsers back with an error.
func (i *Issuer) Refuse(code string) {
	i.flow.mu.Lock()
	defer i.flow.mu.Unlock()
	i.flow.refusal = code
}

// Exchanged is how often somebody wanted the token of a code.
func (i *Issuer) Exchanged() int {
	i.flow.mu.Lock()
	defer i.flow.mu.Unlock()
	return i.flow.exchanged
}

// authorize sends a browser back with a code.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	f, q := &i.flow, r.URL.Query()
	f.mu.Lock()
	defer f.mu.Unlock()
	_, known := f.secrets[q.Get("client_id")]
	back, err := url.Parse(q.Get("redirect_uri"))
	if !known || err != nil || back.Host == "" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" {
		http.Error(w, "no request of a client with PKCE", http.StatusBadRequest)
		return
	}
	reply := url.Values{"state": {q.Get("state")}, "iss": {i.URL}}
	if f.refusal != "" {
		reply.Set("error", f.refusal)
	} else {
		code := rand.Text()
		f.codes[code] = pending{q.Get("client_id"), q.Get("redirect_uri"), q.Get("nonce"), q.Get("code_challenge"), maps.Clone(f.person)}
		reply.Set("code", code)
	}
	back.RawQuery = reply.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

// token hands out the token of a code, once, to the client that has the proof.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	f := &i.flow
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exchanged++
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	p, ok := f.codes[r.PostFormValue("code")]
	delete(f.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	w.Header().Set("Content-Type", "application/json")
	if !ok || id != p.client || secret != f.secrets[id] || r.PostFormValue("redirect_uri") != p.back || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant"})
		return
	}
	p.claims["aud"], p.claims["nonce"] = id, p.nonce
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 300, "id_token": i.Sign(p.claims)})
}

// SetNonce has the token of a code be one of another login.
func (i *Issuer) SetNonce(code, nonce string) {
	i.flow.mu.Lock()
	defer i.flow.mu.Unlock()
	p := i.flow.codes[code]
	p.nonce = nonce
	i.flow.codes[code] = p
}
