package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNodeTCP(t *testing.T) {
	for text, want := range map[string]TCP{
		"name: n1":              {},
		"tcp: {connections: 1}": {Connections: 1},
		"tcp: {connections: 100000, per_client: 100000}": {Connections: 100_000, PerClient: 100_000},
		"tcp: {per_client: 1}":                           {PerClient: 1},
	} {
		n, problems := ParseNode("node.yaml", []byte(text))
		require.NotNil(t, n, "%s: %s", text, problems)
		require.Equal(t, want, n.TCP, text)
	}
	for text, want := range map[string]string{
		"tcp: {connections: 0}":                "tcp.connections: 0 is out of range, want 1 to 100000",
		"tcp: {per_client: 100001}":            "tcp.per_client: 100001 is out of range, want 1 to 100000",
		"tcp: {connections: 8, per_client: 9}": "tcp.per_client: 9 of 8 connections",
	} {
		n, problems := ParseNode("node.yaml", []byte(text))
		require.Nil(t, n, text)
		require.Contains(t, problems.String(), want)
	}
}
