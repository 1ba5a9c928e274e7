package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A grpcChecker calls grpc.health.v1.Health/Check once, over TLS with ALPN h2 where the check has TLS, else in clear with
// prior knowledge. SERVING is success. Frames and headers are golang.org/x/net's; what is left of HTTP/2 and gRPC for one
// call of one message each way is here. grpc-go would start a handful of goroutines for each new connection, and would
// know neither our phases nor our bounds.
type grpcChecker struct {
	dial *dialer
	// tls is nil for h2c.
	tls *tlsPart
	// message is the length-prefixed request. name is the service for reasons.
	message []byte
	service string
}

func newGRPCChecker(check *config.Check, dial *dialer) (checker, error) {
	if check.GRPC == nil {
		return nil, errors.New("check has no gRPC part")
	}
	c := &grpcChecker{dial: dial, service: check.GRPC.Service}
	var request []byte
	if c.service != "" {
		request = protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), c.service)
	}
	c.message = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(request))), request...)
	if check.TLS == nil {
		return c, nil
	}
	var err error
	if c.tls, err = newTLSPart(check.TLS, check.TLS.ServerName, http2.NextProtoTLS); err == nil {
		c.tls.protocol = http2.NextProtoTLS
	}
	return c, err
}

func (c *grpcChecker) probe(ctx context.Context, target health.Target, r *Result) {
	conn, end, ok := connect(ctx, c.dial, c.tls, target, r)
	if !ok {
		return
	}
	defer end()
	m := newMeter(conn)
	m.left = MaxHeader + MaxBody
	defer func() { r.Phases.FirstByte = m.firstByte() }()

	// Everything that we have to say fits into one write.
	var out bytes.Buffer
	if err := c.request(&out, target); err != nil {
		r.fail(because(Unsupported, "request: %v", err))
		return
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		r.fail(brokenReason(err, stepFirstByte, target))
		return
	}
	call := &grpcCall{framer: http2.NewFramer(conn, m)}
	call.framer.SetMaxReadFrameSize(1 << 14)
	call.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	call.framer.MaxHeaderListSize = MaxHeader
	if err := call.run(); err != nil {
		r.fail(call.reason(err, m, target))
		return
	}
	c.judge(call, r)
}

// stream is the one stream of the connection.
const stream = 1

// request writes the client's preface, its settings, and the call.
func (c *grpcChecker) request(out *bytes.Buffer, target health.Target) error {
	var block bytes.Buffer
	headers := hpack.NewEncoder(&block)
	scheme := "http"
	if c.tls != nil {
		scheme = "https"
	}
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: scheme},
		{Name: ":path", Value: "/grpc.health.v1.Health/Check"}, {Name: ":authority", Value: c.authority(target)},
		{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
		{Name: "grpc-timeout", Value: strconv.FormatInt(target.Check.Timeout.Milliseconds(), 10) + "m"},
		{Name: "user-agent", Value: "fairlead"},
	} {
		if err := headers.WriteField(f); err != nil {
			return err
		}
	}
	out.WriteString(http2.ClientPreface)
	f := http2.NewFramer(out, nil)
	return errors.Join(
		f.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}),
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}),
		f.WriteData(stream, true, c.message),
	)
}

// authority is the server's name: that in the certificate, or the target's own.
func (c *grpcChecker) authority(target health.Target) string {
	switch {
	case c.tls == nil:
		return hostPort(target, 80)
	case c.tls.config.ServerName != "":
		return c.tls.config.ServerName
	}
	return hostPort(target, 443)
}

// A grpcCall is what came back.
type grpcCall struct {
	framer *http2.Framer
	// http is :status, status and message the trailers' grpc-status and grpc-message, empty where missing.
	http, status, message string
	body                  []byte
	done                  bool
}

// errAway means that the peer ended the call in the way of HTTP/2.
type errAway struct {
	what string
	code http2.ErrCode
}

func (e errAway) Error() string { return fmt.Sprintf("%s with %v", e.what, e.code) }

// run reads frames until the stream has ended. The meter below the framer bounds them all.
func (c *grpcCall) run() error {
	for !c.done {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		if err := c.take(frame); err != nil {
			return err
		}
	}
	return nil
}

func (c *grpcCall) take(frame http2.Frame) error {
	if id := frame.Header().StreamID; id != 0 && id != stream {
		return nil
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		// A polite one lets calls that it has seen end.
		if f.ErrCode != http2.ErrCodeNo || f.LastStreamID < stream {
			return errAway{"the peer ended the connection", f.ErrCode}
		}
	case *http2.RSTStreamFrame:
		if !c.answered() {
			return errAway{"the peer reset the call", f.ErrCode}
		}
		c.done = true
	case *http2.DataFrame:
		c.body = append(c.body, f.Data()...)
		c.done = f.StreamEnded()
	case *http2.MetaHeadersFrame:
		c.headers(f)
		c.done = f.StreamEnded()
	}
	return nil
}

// answered tells whether the trailers have come.
func (c *grpcCall) answered() bool { return c.status != "" }

func (c *grpcCall) headers(f *http2.MetaHeadersFrame) {
	for _, h := range f.Fields {
		switch h.Name {
		case ":status":
			c.http = h.Value
		case "grpc-status":
			c.status = h.Value
		case "grpc-message":
			c.message = h.Value
			if text, err := url.PathUnescape(h.Value); err == nil {
				c.message = text
			}
		}
	}
}

// reason says why the call did not come to its end.
func (c *grpcCall) reason(err error, m *meter, target health.Target) Reason {
	var (
		away     errAway
		protocol http2.ConnectionError
	)
	switch {
	case errors.As(err, &away):
		return because(Closed, "%v", away)
	case m.err == nil && (errors.As(err, &protocol) || errors.Is(err, http2.ErrFrameTooLarge)):
		return because(Protocol, "the peer does not speak HTTP/2")
	case errors.Is(m.err, errTooLong):
		return because(Protocol, "protocol error: an answer longer than %d octets", MaxHeader+MaxBody)
	case m.err != nil:
		err = m.err
	}
	switch {
	case m.got == 0:
		return brokenReason(err, stepFirstByte, target)
	case c.http == "":
		return brokenReason(err, stepResponse, target)
	}
	return brokenReason(err, stepBody, target)
}
