// Package dnsname resolves host names to addresses, again and again, as their TTLs end.
//
// A Resolver asks the resolvers of the node file, or those of /etc/resolv.conf: over UDP, truncated answers over TCP, one server after
// the other. CNAMEs are followed, over zones that the server does not resolve itself too. What a lookup that fails says of the addresses is
// nothing: those of the last one that succeeded stay in the Answer, family by family, and so do those of a name that is denied. How long they
// are worth something is for package discover and for probes.
//
// One goroutine schedules, lookups have one each, bounded in number; all end with Run. The other methods may be called by anyone. Nothing is
// written, and no answer is validated: whoever needs that asks a resolver that validates, on this host.
package dnsname
