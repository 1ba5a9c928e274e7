// Package oidc takes the tokens of an OpenID Connect issuer as logins: a signed token for this service's audience has a role by the values
// of one of its claims.
//
// A Verifier is safe for concurrent use. Run learns the issuer's keys, and learns them anew every hour; a token that names a key which is
// not known has them learnt at once, but at most every few seconds, whoever sends how many such tokens. A bad token costs no more than its
// parsing and one signature. That the issuer cannot be reached fails no start: tokens get ErrUnavailable until its keys are known, and
// keys that are known stay in use while it is away.
//
// Begin and Finish log browsers in at the issuer by the authorization code flow with PKCE. What a login under way rests on is derived from
// one secret in the browser: nothing of it is kept, and any number of strangers that begin one cost nothing.
//
// It revokes nothing: a token is a login until it expires, a browser's login as long as the configuration says. It follows no redirect, and
// asks for no more than the issuer's configuration and its keys, and for the tokens of those who come back.
package oidc
