package terminal

import (
	"strings"

	"github.com/fairlead-dns/fairlead/config"
)

// Each is f of all.
func Each[T any](list []T, f func(T) string) []string {
	var out []string
	for _, x := range list {
		out = append(out, f(x))
	}
	return out
}

// Dash is s, or a dash for nothing.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// JoinWords is what there is of two texts, with sep between both.
func JoinWords(sep, a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + sep + b
}

// Spelled is display for people alone: with what A-labels stand for.
func Spelled(name string) string {
	if u := config.Unicode(name); u != "" {
		return Display(name) + " (" + Display(u) + ")"
	}
	return Display(name)
}

// Display is a name without the final dot, as people write it.
func Display(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}
