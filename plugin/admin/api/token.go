package api

import (
	"net/url"
	"time"
)

// TokensPath answers GET with the Tokens and POST with the TokenCreated that a TokenRequest made; TokenPath answers DELETE with
// the Token that is revoked. Tokens are good on every node of the cluster: names and digests travel with
// its rounds, and revocations do.
const TokensPath = Base + "/tokens"

// TokenPath is the path of one token.
func TokenPath(name string) string { return TokensPath + "/" + url.PathEscape(name) }

// A TokenRequest asks for a bearer token.
type TokenRequest struct {
	Name string `json:"name"`
	Role string `json:"role" enum:"viewer|operator|admin"`
	// ForSeconds is how long it is good; one of it and Forever is required.
	ForSeconds float64 `json:"for_seconds,omitempty"`
	Forever    bool    `json:"forever,omitempty"`
	Actor      string  `json:"actor,omitempty"`
	Reason     string  `json:"reason,omitempty"`
}

// A Token is what is known of a token: everything but the token.
type Token struct {
	Name string `json:"name"`
	Role string `json:"role" enum:"viewer|operator|admin"`
	// By is who made it.
	By        string    `json:"by"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is absent for one without an end.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Expired   bool       `json:"expired,omitempty"`
	// Missing are, in the reply to an order, the nodes that have not said to have it yet: they take it up once they are heard.
	Missing []string `json:"missing,omitempty"`
}

// Tokens are all tokens, by name.
type Tokens struct {
	Tokens []Token `json:"tokens"`
	// Missing are the nodes that were not heard to have the same tokens as the node that answers.
	Missing []string `json:"missing,omitempty"`
}

// A TokenCreated is a new token. This is the only time that Secret is said: it goes into the header "Authorization: Bearer".
type TokenCreated struct {
	Token
	Secret string `json:"secret"`
}
