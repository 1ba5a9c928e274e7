// Package abuse keeps strangers from turning a name server against others: DNS cookies (RFC 7873, in the form of RFC 9018) tell who asks
// from the address that it shows, and a Limiter bounds how many replies go to a network that shows no cookie.
//
// Both are asked once per query, take no lock and allocate nothing. The package opens no socket and knows nothing of messages.
package abuse
