package fairlead

import (
	"sync"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	clog "github.com/coredns/coredns/plugin/pkg/log"
)

var log = clog.NewWithPlugin(pluginName)

func init() { plugin.Register(pluginName, setup) }

// hookOnce registers the event hook of the process at the first setup: caddy panics at a second registration.
var hookOnce sync.Once

// setup reads the directive and registers callbacks. It has no other effect: the start of this instance may still fail,
// and CoreDNS would not say so.
func setup(c *caddy.Controller) error {
	d, err := parseDirective(c)
	if err != nil {
		return plugin.Error(pluginName, err)
	}
	config := dnsserver.GetConfig(c)
	d.below(config.Root)
	hookOnce.Do(func() { caddy.RegisterEventHook(pluginName, startupHook) })
	a := attachmentOf(c)
	h := &Handler{directive: d}
	if err := a.add(d, h, config); err != nil {
		return plugin.Error(pluginName, c.Err(err.Error()))
	}
	hookLane(config, a)
	hookTCP(config, a)
	c.OnStartup(func() error {
		if err := checkNeighbours(config.Handlers()); err != nil {
			return plugin.Error(pluginName, err)
		}
		return nil
	})
	config.AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	return nil
}

// attachmentKey finds the attachment in the storage of its instance.
type attachmentKey struct{}

// attachmentOf is the attachment of c's instance, made by the first block.
func attachmentOf(c *caddy.Controller) *attachment {
	if a, ok := c.Get(attachmentKey{}).(*attachment); ok {
		return a
	}
	a := new(attachment)
	c.Set(attachmentKey{}, a)
	c.OnStartup(func() error {
		if err := process.attach(a); err != nil {
			return plugin.Error(pluginName, err)
		}
		return nil
	})
	c.OnRestartFailed(func() error { process.restartFailed(a); return nil })
	c.OnShutdown(func() error { process.release(a); return nil })
	return a
}

// startupHook commits the attachment of an instance that has started.
func startupHook(event caddy.EventName, info any) error {
	if event != caddy.InstanceStartupEvent {
		return nil
	}
	if instance, ok := info.(*caddy.Instance); ok {
		if a := attachmentIn(instance); a != nil {
			process.commit(a)
		}
	}
	return nil
}

func attachmentIn(instance *caddy.Instance) *attachment {
	instance.StorageMu.RLock()
	defer instance.StorageMu.RUnlock()
	a, _ := instance.Storage[attachmentKey{}].(*attachment)
	return a
}

// running tells whether a's instance is among those that caddy counts as started or starting.
func running(a *attachment) bool {
	for _, i := range caddy.Instances() {
		if attachmentIn(i) == a {
			return true
		}
	}
	return false
}
