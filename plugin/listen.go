package fairlead

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/coredns/coredns/plugin/pkg/transport"
)

// free is an error if another process serves an address of a's blocks. CoreDNS listens with SO_REUSEPORT, so that two processes share an
// address without a word, and each gets a part of the queries. It is to be asked before this process listens itself: to bind without that
// option finds whoever is there.
func (a *attachment) free() error {
	var errs []error
	asked := make(map[string]bool)
	for _, b := range a.blocks {
		for _, network := range networksOf(b.config.Transport) {
			for _, host := range b.config.ListenHosts {
				address := net.JoinHostPort(host, b.config.Port)
				if b.config.Port == "0" || asked[network+address] {
					continue
				}
				asked[network+address] = true
				if err := tryBind(network, address); errors.Is(err, syscall.EADDRINUSE) {
					errs = append(errs, fmt.Errorf("%s %s: address already in use: another process serves it", network, address))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// networksOf are those on which a server with that transport listens.
func networksOf(t string) []string {
	switch t {
	case transport.DNS, "":
		return []string{"udp", "tcp"}
	case transport.QUIC, transport.HTTPS3:
		return []string{"udp"}
	}
	return []string{"tcp"}
}

// tryBind binds, and lets go. Errors other than of an address in use are for the listener to say.
func tryBind(network, address string) error {
	if network == "udp" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	return l.Close()
}
