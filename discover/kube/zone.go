package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// zoneObjects are zone files as objects. Their spec is nothing to this package.
var zoneObjects = &resource{group: "fairlead.dev", plural: "zones", versions: []string{"v1alpha1"}, raw: true}

// A Zone is an object whose spec is a zone file.
type Zone struct {
	Namespace, Name string
	Generation      int64
	Spec            json.RawMessage
	// Accepted is the condition that its status has; zero for none.
	Accepted Condition
}

// A Condition is what the status of a Zone says. The time of its last transition is SetAccepted's to set.
type Condition struct {
	Type               string    `json:"type"`
	Status             string    `json:"status"`
	ObservedGeneration int64     `json:"observedGeneration"`
	LastTransitionTime time.Time `json:"lastTransitionTime"`
	Reason             string    `json:"reason"`
	Message            string    `json:"message"`
}

// AcceptedType is the type of the one condition.
const AcceptedType = "Accepted"

// Zones are the objects of the kind Zone that Options.Cluster.Zones asks for, by name; known is unset while they have not been listed.
func (r *Reader) Zones() (zones []Zone, known bool, err error) {
	z := r.opts.Cluster.Zones
	if z == nil {
		return nil, false, nil
	}
	known = r.read(zoneObjects, z.Namespace, func(o *object) {
		if o.Metadata.DeletionTimestamp != "" {
			return
		}
		var of struct {
			Metadata struct {
				Namespace, Name string
				Generation      int64
			}
			Spec   json.RawMessage
			Status struct{ Conditions []Condition }
		}
		if e := json.Unmarshal(o.raw, &of); e != nil {
			err = fmt.Errorf("the Zone %s: %w", o.Metadata.key(), e)
			return
		}
		out := Zone{Namespace: of.Metadata.Namespace, Name: of.Metadata.Name, Generation: of.Metadata.Generation, Spec: of.Spec}
		if i := slices.IndexFunc(of.Status.Conditions, func(c Condition) bool { return c.Type == AcceptedType }); i >= 0 {
			out.Accepted = of.Status.Conditions[i]
		}
		zones = append(zones, out)
	})
	slices.SortFunc(zones, func(a, b Zone) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return zones, known, err
}

// SetAccepted writes the condition of a Zone.
func (r *Reader) SetAccepted(ctx context.Context, z *Zone, c Condition, now time.Time) error {
	c.Type, c.LastTransitionTime = AcceptedType, z.Accepted.LastTransitionTime
	if z.Accepted.Status != c.Status || c.LastTransitionTime.IsZero() {
		c.LastTransitionTime = now.UTC().Truncate(time.Second)
	}
	b, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []Condition{c}}})
	if err != nil {
		return err
	}
	k, err := r.ask(ctx)
	if err != nil {
		return err
	}
	path := zoneObjects.path(zoneObjects.versions[0], z.Namespace) + "/" + z.Name + "/status"
	return k.patch(ctx, "the status of zones.fairlead.dev in "+z.Namespace, path, b)
}

// patch merges a document into an object.
func (c *client) patch(ctx context.Context, what, path string, document []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, c.base.JoinPath(path).String(), bytes.NewReader(document))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/merge-patch+json")
	body, err := c.send(req, "patch", what)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(body, maxPage))
	return body.Close()
}
