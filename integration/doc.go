// Package integration tests the real binary: real sockets, real endpoints, real resolvers and clients. Its tests are
// skipped by -short. deps_test.go holds the architecture: who may import whom, and which libraries stay where.
package integration
