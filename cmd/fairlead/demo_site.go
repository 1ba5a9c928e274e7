package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
)

// firstPort is the port that is tried first: the one that people expect of a web server without root.
const (
	firstPort = 8080
	// portTries bounds the search for a port that is free on every address.
	portTries = 20
)

// A site is all endpoints of the demo.
type site struct{ endpoints []*demoEndpoint }

// openSite opens the endpoints on one port that is free on all of their addresses: the check has one port for all.
func openSite() (*site, error) {
	var last error
	for try := range portTries {
		port := uint16(firstPort + try)
		if try > portTries/2 {
			// Something holds the whole range; the kernel knows a free one.
			p, err := freePort(demoPlaces(0)[0].Addr.Addr().String())
			if err != nil {
				return nil, err
			}
			port = p
		}
		s := newSite(demoPlaces(port))
		if last = s.open(); last == nil {
			return s, nil
		}
		s.close()
		if !errors.Is(last, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, fmt.Errorf("open the demo's endpoints: %w", last)
}

func freePort(host string) (uint16, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port on %s: %w", host, err)
	}
	defer l.Close()
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	return uint16(port), err
}

func newSite(places []place) *site {
	s := &site{}
	for _, p := range places {
		s.endpoints = append(s.endpoints, &demoEndpoint{place: p, state: closed})
	}
	return s
}

func (s *site) open() error {
	for _, e := range s.endpoints {
		if _, err := e.set(serving); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) close() {
	for _, e := range s.endpoints {
		_, _ = e.set(closed)
	}
}

func (s *site) places() []place {
	var out []place
	for _, e := range s.endpoints {
		out = append(out, e.place)
	}
	return out
}

// find returns the endpoints that kind ("az" or "endpoint") and name select.
func (s *site) find(kind, name string) ([]*demoEndpoint, error) {
	var found []*demoEndpoint
	var names []string
	switch kind {
	case "az":
		names = azsOf(s.places())
		for _, e := range s.endpoints {
			if e.AZ == name {
				found = append(found, e)
			}
		}
	case "endpoint":
		for _, e := range s.endpoints {
			names = append(names, e.Name)
			if e.Name == name {
				found = append(found, e)
			}
		}
	default:
		return nil, fmt.Errorf("cannot break or heal a %q: want az or endpoint", kind)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no %s %q in the demo: want %s", kindWord(kind), name, exit.OrList(names))
	}
	return found, nil
}

func kindWord(kind string) string {
	if kind == "az" {
		return "AZ"
	}
	return kind
}

// change brings endpoints into state want and says of each what was done. It goes on after an error.
func change(endpoints []*demoEndpoint, want demoState) ([]string, error) {
	var done []string
	var errs []error
	for _, e := range endpoints {
		changed, err := e.set(want)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		text := map[demoState]string{
			serving: "answers requests", closed: "refuses connections", hanging: "accepts connections and sends nothing",
		}[want]
		word := "now"
		if !changed {
			word = "already"
		}
		done = append(done, fmt.Sprintf("%s (%s, AZ %s) %s %s", e.Name, e.Addr, e.AZ, word, text))
	}
	return done, errors.Join(errs...)
}

// azList is the AZs for a help text.
func azList() string { return strings.Join(azsOf(demoPlaces(firstPort)), ", ") }
