// Package delegation is `fairlead delegation`: it asks the parent of a zone, and its name servers, what they say of it, and judges whether resolvers find
// their way. It sends questions of the DNS and nothing else.
package delegation
