package client

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxEventLine bounds one event, in octets.
const maxEventLine = 1 << 20

// An EventQuery says which events. Types are types, or the beginnings of such with * behind, Subject is a part of the subject; empty is all.
type EventQuery struct {
	Types   []string
	Subject string
	// After is the number of the event after which to begin, oldest first; without it they are the latest ones, or, of a stream, those from
	// now on.
	After *uint64
	// Limit is how many at most; 0 is the node's default. A stream has none.
	Limit int
}

func (q *EventQuery) values() url.Values {
	v := url.Values{}
	if len(q.Types) > 0 {
		v["type"] = q.Types
	}
	set(v, "subject", q.Subject)
	if q.After != nil {
		v.Set("after", strconv.FormatUint(*q.After, 10))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// Events are what happened on the node.
func (c *Client) Events(ctx context.Context, q EventQuery) (*api.Events, error) {
	return get[api.Events](ctx, c, api.EventsPath, q.values())
}

// Follow calls do with each event as it happens, until ctx ends, the stream breaks off, or do returns an error, which it returns.
func (c *Client) Follow(ctx context.Context, q EventQuery, do func(*api.Event) error) error {
	endless := *c.http
	endless.Timeout = 0
	resp, err := c.send(ctx, &endless, http.MethodGet, api.EventsPath+"?"+q.values().Encode(), "text/event-stream", nil)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEventLine)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e api.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return err
		}
		if err := do(&e); err != nil {
			return err
		}
	}
	return lines.Err()
}
