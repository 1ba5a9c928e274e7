package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/fairlead-dns/fairlead/health"
)

// dialReason says why no connection came about.
func dialReason(err error, target health.Target) Reason {
	var (
		dns       *net.DNSError
		forbidden *ForbiddenError
	)
	switch {
	case errors.As(err, &forbidden):
		return because(Forbidden, "%v", forbidden)
	case lacking(err):
		return resourceReason(err)
	case errors.As(err, &dns):
		return lookupReason(dns, target)
	case timedOut(err):
		return because(ConnectTimeout, "timeout after %v in connect", target.Check.Timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return because(Refused, "connection refused")
	case errors.Is(err, syscall.EHOSTUNREACH):
		return because(Unreachable, "no route to host")
	case errors.Is(err, syscall.ENETUNREACH):
		return because(Unreachable, "network unreachable")
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return because(Unreachable, "connect forbidden by this system: %v", root(err))
	case errors.Is(err, syscall.ECONNRESET):
		return because(Closed, "connection reset in connect")
	}
	return because(Protocol, "connect: %v", root(err))
}

// lookupReason says why a name has no address.
func lookupReason(err *net.DNSError, target health.Target) Reason {
	host := strings.TrimSuffix(target.Host, ".")
	switch {
	case strings.Contains(err.Err, syscall.EMFILE.Error()), strings.Contains(err.Err, syscall.ENFILE.Error()):
		return resourceReason(syscall.EMFILE)
	case err.IsNotFound:
		return because(NoAddress, "no address for the name %s", host)
	case err.IsTimeout:
		return because(NoAddress, "timeout after %v in the look-up of %s", target.Check.Timeout, host)
	}
	return because(NoAddress, "look-up of %s: %s", host, err.Err)
}

// lacking tells whether err comes from a shortage on this node.
func lacking(err error) bool {
	for _, no := range [...]syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL,
	} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

func resourceReason(err error) Reason {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return because(Resource, "not probed: this node has no file descriptor left")
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return because(Resource, "not probed: this node has no local address or port left")
	}
	return because(Resource, "not probed: this node has no memory left for sockets")
}

// step is what a probe was doing on its connection.
type step struct {
	// timeout is the kind of a timeout in this step, and where says in words when it happened.
	timeout Kind
	where   string
}

var (
	stepTLS       = step{TLSTimeout, "in TLS handshake"}
	stepFirstByte = step{FirstByteTimeout, "before the first byte"}
	// stepResponse is where a peer has sent settings of HTTP/2, and no answer yet.
	stepResponse = step{HeaderTimeout, "before the response"}
	stepHeader   = step{HeaderTimeout, "in header"}
	stepBody     = step{BodyTimeout, "in body"}
)

// brokenReason says why a connection that stood did not do.
func brokenReason(err error, at step, target health.Target) Reason {
	var op *net.OpError
	switch {
	case timedOut(err):
		return because(at.timeout, "timeout after %v %s", target.Check.Timeout, at.where)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return because(Closed, "connection reset %s", at.where)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return because(Closed, "connection closed %s", at.where)
	case errors.As(err, &op) && op.Op == "remote error":
		// A TLS 1.3 peer refuses our certificate only after the handshake.
		return because(TLSError, "the peer refused TLS: %s", strings.TrimPrefix(op.Err.Error(), "tls: "))
	case errors.As(err, &op):
		return because(Protocol, "protocol error %s: %v", at.where, root(err))
	}
	return because(Protocol, "protocol error %s: %v", at.where, err)
}

// timedOut tells whether err is the end of the probe's time.
func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, syscall.ETIMEDOUT) || errors.As(err, &n) && n.Timeout()
}

// root is the innermost error: what the system said, without the addresses that net puts around it.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
