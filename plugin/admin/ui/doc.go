// Package ui is the dashboard: web pages of what the admin API says, for people.
//
// Pages are made here from html/template, and work without JavaScript; with it they follow the node by server-sent events. The package
// is a client of the API and no more: all that a page says comes from a Backend, every order goes through Backend.Call, with the role,
// the record and the refusals that the API has for the same login. A bound, "safe" and "forgotten" are printed only where the API says
// them. What other projects wrote (htmx, uPlot) is copied into dist by `make build` and is not part of the repository: without it
// the pages do not follow by themselves, and say so.
//
// Handlers run concurrently. One goroutine for each set of equal pages that are open renders them, and ends with the last of them.
package ui
