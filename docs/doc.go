// Package docs holds what is published beside the program.
package docs

import _ "embed"

// OpenAPI describes the admin API (OpenAPI 3.1): what each node serves at api.OpenAPIPath. It is made of the routes and types of
// plugin/admin by its tests: `go test ./plugin/admin -run TestPublished -update`.
//
//go:embed openapi.json
var OpenAPI []byte
