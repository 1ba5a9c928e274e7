// Package client asks one node over its admin API, and gives it orders: a method for each operation of the OpenAPI document, with the
// types of package plugin/admin/api. It is what the commands use.
//
// A Client is safe for concurrent use. Each request has a deadline, and a reply is read up to a limit. A reply that says no is an
// *api.Problem; that there was none is an *UnreachableError. The client repeats nothing and follows no redirect: a token goes to the node
// that was named. With WithHeader a request has an Idempotency-Key, If-Match or If-None-Match.
//
// As long as the API's version is v1, methods are added, and arguments get more fields; none is taken away.
package client
