package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

const (
	// maxReply bounds what is read of the issuer, in octets.
	maxReply = 1 << 20
	// maxKeys bounds how many keys a token without a key's name is tried with.
	maxKeys = 32
	// refreshEvery is how often the keys are learnt anew, retryAfter how soon after a failure, by Run.
	refreshEvery = time.Hour
	retryAfter   = 10 * time.Second
	// leastPause is for how long tokens that name an unknown key cause no second look at the issuer.
	leastPause = 5 * time.Second
	// fetchTimeout bounds one look.
	fetchTimeout = 5 * time.Second
)

// algorithms are those of signatures that whoever verifies them cannot make.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// errSignature is said of a token that none of the keys signed.
var errSignature = errors.New("none of the issuer's keys signed it")

// A keySet is the keys of an issuer.
type keySet struct {
	issuer string
	client *http.Client
	// looked tells of each look at the issuer, and of its failure.
	looked func(err error)

	// looking is held while the issuer is asked.
	looking sync.Mutex
	mu      sync.Mutex
	// The rest is guarded by mu. known is set once there were keys; tried is the latest look, failed since when looks fail, and why.
	keys   []jose.JSONWebKey
	ends   oauth2.Endpoint // where browsers log in, and codes become tokens
	known  bool
	tried  time.Time
	failed time.Time
	why    error
}

// VerifySignature is the payload of a token that one of the keys signed.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errSignature
	}
	name := signed.Signatures[0].Header.KeyID
	if payload, tried := k.verify(signed, name); payload != nil || tried {
		return payload, orSignature(payload)
	}
	// A key that nobody has heard of: the issuer may have a new one.
	if err := k.refresh(ctx, leastPause); err != nil {
		return nil, err
	}
	payload, _ := k.verify(signed, name)
	return payload, orSignature(payload)
}

func orSignature(payload []byte) error {
	if payload == nil {
		return errSignature
	}
	return nil
}

// verify is the payload, if a key signed it; tried tells whether there was a key of that name, or any at all for a token that names none.
func (k *keySet) verify(signed *jose.JSONWebSignature, name string) (payload []byte, tried bool) {
	k.mu.Lock()
	keys := k.keys
	k.mu.Unlock()
	for i := range keys {
		if name != "" && keys[i].KeyID != name {
			continue
		}
		tried = true
		if payload, err := signed.Verify(&keys[i]); err == nil {
			return payload, true
		}
	}
	return nil, tried
}

// refresh asks the issuer for its keys, unless that was done less than pause ago. It returns ErrUnavailable while there have never been any.
func (k *keySet) refresh(ctx context.Context, pause time.Duration) error {
	k.looking.Lock()
	defer k.looking.Unlock()
	now := time.Now()
	k.mu.Lock()
	recent, known := !k.tried.IsZero() && now.Sub(k.tried) < pause, k.known
	k.mu.Unlock()
	if !recent {
		// Whoever waits for it may go away: the next one needs the keys too.
		look, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		keys, ends, err := k.fetch(look)
		k.mu.Lock()
		k.tried = time.Now()
		if k.why = err; err == nil {
			k.keys, k.ends, k.known, k.failed = keys, ends, true, time.Time{}
		} else if k.failed.IsZero() {
			k.failed = now
		}
		known = k.known
		k.mu.Unlock()
		k.looked(err)
	}
	if !known {
		return ErrUnavailable
	}
	return nil
}

// refreshUnknown asks the issuer, if it could not be asked yet.
func (k *keySet) refreshUnknown(ctx context.Context) error {
	k.mu.Lock()
	known := k.known
	k.mu.Unlock()
	if known {
		return nil
	}
	return k.refresh(ctx, leastPause)
}

// endpoints are where browsers log in, and codes become tokens.
func (k *keySet) endpoints() oauth2.Endpoint {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ends
}

// fetch reads the issuer's configuration, and the keys that it names.
func (k *keySet) fetch(ctx context.Context) (keys []jose.JSONWebKey, ends oauth2.Endpoint, err error) {
	ctx = oidc.ClientContext(ctx, k.client)
	provider, err := oidc.NewProvider(ctx, k.issuer)
	if err != nil {
		return nil, ends, fmt.Errorf("issuer %s: %w", k.issuer, err)
	}
	var doc struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := provider.Claims(&doc); err != nil {
		return nil, ends, fmt.Errorf("issuer %s: %w", k.issuer, err)
	}
	if keys, err = k.fetchKeys(ctx, doc.JWKS); err != nil {
		return nil, ends, err
	}
	return keys, provider.Endpoint(), nil
}

// fetchKeys reads the keys at an address.
func (k *keySet) fetchKeys(ctx context.Context, at string) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("keys of issuer %s: %w", k.issuer, err)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("keys of issuer %s: %w", k.issuer, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("keys of issuer %s: %s: %s", k.issuer, at, resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("keys of issuer %s: %w", k.issuer, err)
	}
	return parseKeys(body)
}

// parseKeys are the public keys for signatures of a document; those of kinds that nobody knows are left out.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var out []jose.JSONWebKey
	for _, text := range doc.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) != nil || !key.Valid() || !key.IsPublic() || !slices.Contains([]string{"", "sig"}, key.Use) {
			continue
		}
		if out = append(out, key); len(out) > maxKeys {
			return nil, fmt.Errorf("keys: more than %d", maxKeys)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("keys: none that signs")
	}
	return out, nil
}

// A bounded transport reads no more of a reply than maxReply.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxReply), resp.Body}
	}
	return resp, err
}
