package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"
)

const (
	// MaxHooks is how many webhooks a node can have; each costs a goroutine.
	MaxHooks = 20
	// defaultHookTimeout and maxHookTimeout are how long one attempt may take.
	defaultHookTimeout = 5 * time.Second
	maxHookTimeout     = time.Minute
)

// A Hook is a webhook: who is told what happens.
type Hook struct {
	Name string
	// URL is https, or http where Insecure allows it. It may hold secrets: Shown is what may be shown.
	URL string
	// Secret is the path of the file whose content signs what is sent; empty means that nothing is signed.
	Secret string
	// Types are the types of events, or their beginnings with * behind; none means all.
	Types []string
	// Timeout is how long one attempt may take.
	Timeout time.Duration
}

// Shown is the URL without what may be secret in it.
func (h *Hook) Shown() string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// eventType is ENDPOINT.DOWN in small letters, or the beginning of such with * behind.
var eventType = regexp.MustCompile(`^([a-z]+(\.[a-z_]*)?\*|[a-z]+\.[a-z_]+|\*)$`)

func eventTypeText(s string) error {
	if !eventType.MatchString(s) {
		return fmt.Errorf("want a type of event, as in endpoint.down, or its beginning, as in endpoint.*, got %q", s)
	}
	return nil
}

func hookURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		// The text may hold a secret.
		return errors.New("want a URL, as in https://ops.example.org/fairlead")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.Opaque != "", u.Fragment != "":
		return errors.New("want a URL that begins with https:// and a host")
	}
	return nil
}

func hooksShape() *shape {
	return &shape{most: MaxHooks, least: 1, list: object(
		required("name", text("a name", parseIdentifier)).says("Its name, in metrics and commands."),
		required("url", text("a URL, as in https://ops.example.org/fairlead", hookURL)).says("Where events are sent."),
		optional("secret_file", text("a path", lineText)).or("unsigned").says("The file whose content signs what is sent."),
		optional("events", list(text("a type of event, as in endpoint.down", eventTypeText))).or("all").says("Types of events, or their beginnings with * behind."),
		optional("timeout", duration(100*time.Millisecond, maxHookTimeout)).or(defaultHookTimeout).says("How long one attempt may take."),
		optional("insecure", boolean()).or(false).says("Lets `url` be http://."),
	)}
}

// hooks reads the webhooks.
func (n *Node) hooks(r *report, all []*yamlNode) {
	for i, item := range all {
		at := func(key string) string { return (*yamlPath)(nil).at("hooks", i, key).String() }
		h := Hook{
			Name: stringOf(field(item, "name")), URL: stringOf(field(item, "url")), Secret: stringOf(field(item, "secret_file")),
			Timeout: durationOf(field(item, "timeout"), defaultHookTimeout),
		}
		for _, t := range items(field(item, "events")) {
			h.Types = append(h.Types, stringOf(t))
		}
		if slices.ContainsFunc(n.Hooks, func(o Hook) bool { return o.Name == h.Name }) {
			r.node(field(item, "name"), Error, at("name"), fmt.Sprintf("a second hook of the name %q", shorten(h.Name)), "positions and metrics tell hooks apart by it")
		}
		if u, err := url.Parse(h.URL); err == nil && u.Scheme == "http" && !boolOf(field(item, "insecure")) {
			r.node(field(item, "url"), Error, at("url"), "in clear: everybody on the way could read it and answer", "use https, or set insecure: true")
		}
		n.Hooks = append(n.Hooks, h)
	}
}
