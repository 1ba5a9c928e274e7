package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHooks(t *testing.T) {
	n, problems := ParseNode("node.yaml", []byte(`hooks:
  - {name: pager, url: "https://user:hush@ops.example.org/hush?t=1", secret_file: /s, events: [endpoint.down, pool.*, "*"], timeout: 100ms}
  - {name: local, url: "http://127.0.0.1:9/x", insecure: true}
`))
	require.NotNil(t, n, "%s", problems)
	assert.Equal(t, []Hook{
		{Name: "pager", URL: "https://user:hush@ops.example.org/hush?t=1", Secret: "/s", Types: []string{"endpoint.down", "pool.*", "*"}, Timeout: 100 * time.Millisecond},
		{Name: "local", URL: "http://127.0.0.1:9/x", Timeout: defaultHookTimeout},
	}, n.Hooks)
	assert.Equal(t, "https://ops.example.org", n.Hooks[0].Shown())
	for _, tt := range []struct{ yaml, want string }{
		{"hooks: [{name: a, url: \"http://h/\"}]\n", ":1:24: error: hooks[0].url: in clear"},
		{"hooks: [{name: a, url: \"ftp://hush/\"}]\n", ":1:24: error: hooks[0].url: want a URL that begins with https://"},
		{"hooks: [{name: a, url: \"https://h/\", events: [Endpoint]}]\n", "want a type of event"},
		{"hooks: [{name: a, url: \"https://h/\", timeout: 99ms}]\n", "99ms is out of range, want 100ms to 1m"},
		{"hooks: [{name: a, url: \"https://h/\", timeout: 61s}]\n", "61s is out of range"},
		{"hooks: [{name: a, url: \"https://h/\"}, {name: a, url: \"https://h/\"}]\n", `:1:46: error: hooks[1].name: a second hook of the name "a"`},
		{"hooks: []\n", "hooks"},
	} {
		n, problems := ParseNode("n", []byte(tt.yaml))
		assert.Nil(t, n, tt.yaml)
		require.NotEmpty(t, problems, tt.yaml)
		assert.Contains(t, problems[0].String(), tt.want)
	}
}
