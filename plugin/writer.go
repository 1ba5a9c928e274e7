package fairlead

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/coredns/coredns/plugin/metrics"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// A writerKind says what is known of a writer's type.
type writerKind uint8

const (
	// opaque writers may look into a message: they get one through WriteMsg.
	opaque writerKind = iota
	// plain writers send the octets that they get.
	plain
	// tracking writers are CoreDNS's own wrappers that note which plugin wrote and pass octets on. Their type is not
	// exported, their first field is the writer inside.
	tracking
)

// wireWriters are types, as package and name, that cannot be named here.
var wireWriters = map[[2]string]writerKind{
	{"github.com/miekg/dns", "response"}:                  plain,
	{"github.com/coredns/coredns/plugin", "pluginWriter"}: tracking,
}

// kinds caches kindOf by reflect.Type: a handful of types per process.
var kinds sync.Map

func kindOf(w dns.ResponseWriter) writerKind {
	t := reflect.TypeOf(w)
	if k, ok := kinds.Load(t); ok {
		return k.(writerKind)
	}
	k := opaque
	if t != nil && t.Kind() == reflect.Pointer {
		e := t.Elem()
		k = wireWriters[[2]string{e.PkgPath(), e.Name()}]
		if k == tracking && !(e.NumField() > 0 && e.Field(0).Name == "ResponseWriter" && e.Field(0).IsExported()) {
			k = opaque
		}
	}
	kinds.Store(t, k)
	return k
}

// peel looks through the writers around the connection. wire is set if all of them pass octets on unseen; recorder is the
// metrics recorder among them, to which Write alone would count as NOERROR.
func peel(w dns.ResponseWriter) (recorder *metrics.Recorder, wire bool) {
	for {
		switch known := w.(type) {
		case *request.ScrubWriter:
			// It fits messages into the client's buffer, which the answer already does.
			w = known.ResponseWriter
		case *metrics.Recorder:
			recorder, w = known, known.Recorder.ResponseWriter
		case wireWriter:
			return recorder, true
		default:
			switch kindOf(w) {
			case plain:
				return recorder, true
			case tracking:
				inner, ok := reflect.ValueOf(w).Elem().Field(0).Interface().(dns.ResponseWriter)
				if !ok {
					return nil, false
				}
				w = inner
			default:
				return nil, false
			}
		}
	}
}

// A wireWriter says of itself that it takes octets as they are.
type wireWriter interface {
	dns.ResponseWriter
	TakesWire()
}

// write sends the packed reply through w: as octets where nobody in between needs the message, else as a message.
func write(w dns.ResponseWriter, packed []byte, rcode int) error {
	if recorder, wire := peel(w); wire {
		if recorder != nil {
			recorder.Rcode = rcode
		}
		_, err := w.Write(packed)
		return err
	}
	m := new(dns.Msg)
	if err := m.Unpack(packed); err != nil {
		return fmt.Errorf("reply of our own: %w", err)
	}
	// Unpack forgets that names were compressed.
	m.Compress = true
	return w.WriteMsg(m)
}
