package kube

import (
	"encoding/json"
	"strings"
)

// meta is what is read of an object's metadata.
type meta struct {
	Name              string
	Namespace         string
	UID               string
	ResourceVersion   string
	Labels            map[string]string
	Annotations       map[string]string
	DeletionTimestamp string
}

// The annotations that are read, and the labels that say where something stands.
const (
	ignoreAnnotation    = "fairlead.dev/ignore"
	addressesAnnotation = "fairlead.dev/addresses"
	regionLabel         = "topology.kubernetes.io/region"
	zoneLabel           = "topology.kubernetes.io/zone"
)

// leaving tells whether the object is to be treated as if it were not there: it is being deleted, or says so itself.
func (m *meta) leaving() bool {
	return m.DeletionTimestamp != "" || strings.EqualFold(m.Annotations[ignoreAnnotation], "true")
}

func (m *meta) key() string { return m.Namespace + "/" + m.Name }

// An ingressPoint is where a load balancer is reached.
type ingressPoint struct{ IP, Hostname string }

type loadBalancer struct{ Ingress []ingressPoint }

// portName is a number or a name, as the API has both.
type portName string

func (p *portName) UnmarshalJSON(b []byte) error {
	*p = portName(strings.Trim(string(b), `"`))
	return nil
}

type condition struct{ Type, Status string }

// An object is what is read of any kind: each fills in its own fields, and all of them fit into one shape, which keeps the decoder one.
type object struct {
	Metadata meta
	Spec     struct {
		// Of a Service; IPs and Type of a ServiceImport, too.
		Type, ClusterIP, ExternalName string
		IPs                           []string
		// Ports are of a Service; their names are looked at alone.
		Ports []struct {
			Name           string
			Port, NodePort uint16
			TargetPort     portName
		}
		Listeners  []struct{ Name string }
		ParentRefs []parentRef
		// Endpoints are of a DNSEndpoint.
		Endpoints []struct {
			RecordType string
			Targets    []string
		}
	}
	Status struct {
		LoadBalancer loadBalancer
		// Addresses are of a Gateway (Value) or a Node (Address).
		Addresses []struct{ Type, Value, Address string }
		// Parents are of a route.
		Parents []struct {
			ParentRef  parentRef
			Conditions []condition
		}
	}
	// Of an EndpointSlice.
	AddressType string
	// raw is all of it, where the resource asks for that.
	raw       json.RawMessage
	Endpoints []sliceEndpoint
	Ports     []struct {
		Name string
		Port uint16
	}
}

type sliceEndpoint struct {
	Addresses  []string
	Conditions struct{ Ready, Serving, Terminating *bool }
	Zone       string
}

type parentRef struct{ Group, Kind, Namespace, Name, SectionName string }

// object reads an object.
func (r *resource) object(b []byte) (*object, error) {
	o, err := decode(b)
	if err == nil && r.raw {
		o.raw = b
	}
	return o, err
}

// decode reads an object. Unknown fields are none of ours: another version of the API has more of them.
func decode(b []byte) (*object, error) {
	o := new(object)
	if err := json.Unmarshal(b, o); err != nil {
		return nil, err
	}
	return o, nil
}
