package api

// OpenAPIPath answers GET with the description of this API, OpenAPI 3.1.
const OpenAPIPath = Base + "/openapi.json"
