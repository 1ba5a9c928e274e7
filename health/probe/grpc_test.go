package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-dns/fairlead/config"
)

func grpcCheck(service string, change func(*config.Check)) *config.Check {
	check := config.Check{Name: "rpc", Type: config.CheckGRPC, Interval: 20 * time.Second, Timeout: 10 * time.Second,
		Fall: 3, Rise: 2, GRPC: &config.GRPCCheck{Service: service}}
	if change != nil {
		change(&check)
	}
	return sealed(check)
}

// grpcServer runs grpc-go until the test ends.
func grpcServer(t *testing.T, register func(*grpc.Server), opts ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(opts...)
	if register != nil {
		register(server)
	}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return l.Addr().String()
}

// refusing is a health service that fails.
type refusing struct {
	healthpb.UnimplementedHealthServer
	answer func(context.Context) (*healthpb.HealthCheckResponse, error)
}

func (r refusing) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return r.answer(ctx)
}

func TestGRPC(t *testing.T) {
	health := func(s *grpc.Server) {
		h := grpchealth.NewServer()
		h.SetServingStatus("shop.Cart", healthpb.HealthCheckResponse_SERVING)
		h.SetServingStatus("shop.Till", healthpb.HealthCheckResponse_NOT_SERVING)
		healthpb.RegisterHealthServer(s, h)
	}
	answering := func(f func(context.Context) (*healthpb.HealthCheckResponse, error)) func(*grpc.Server) {
		return func(s *grpc.Server) { healthpb.RegisterHealthServer(s, refusing{answer: f}) }
	}
	for _, test := range []struct {
		name, service string
		register      func(*grpc.Server)
		kind          Kind
		text          string
	}{
		{"whole server", "", health, None, ""},
		{"serving", "shop.Cart", health, None, ""},
		{"not serving", "shop.Till", health, NotServing, `NOT_SERVING: the service "shop.Till"`},
		{"unknown service", "shop.Shelf", health, NotServing, `SERVICE_UNKNOWN: the server does not know the service "shop.Shelf"`},
		{"no health service", "", nil, GRPCStatus, "gRPC status UNIMPLEMENTED: the server has no service grpc.health.v1.Health"},
		{"unknown by status", "", answering(func(context.Context) (*healthpb.HealthCheckResponse, error) {
			return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVICE_UNKNOWN}, nil
		}), NotServing, "SERVICE_UNKNOWN: the server does not know the server as a whole"},
		{"no status at all", "", answering(func(context.Context) (*healthpb.HealthCheckResponse, error) {
			return &healthpb.HealthCheckResponse{}, nil
		}), NotServing, "health status 0: the server as a whole"},
		{"unavailable", "", answering(func(context.Context) (*healthpb.HealthCheckResponse, error) {
			return nil, status.Error(codes.Unavailable, "database is gone: 100 %")
		}), GRPCStatus, "gRPC status UNAVAILABLE: database is gone: 100 %"},
		{"hangs", "", answering(func(ctx context.Context) (*healthpb.HealthCheckResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}), HeaderTimeout, "timeout after 500ms before the response"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := grpcCheck(test.service, func(c *config.Check) {
				if test.kind == HeaderTimeout {
					c.Timeout = 500 * time.Millisecond
				}
			})
			got := probeTimed(t, targetAt(t, check, grpcServer(t, test.register)))
			if test.kind == HeaderTimeout && got.Reason.Kind == GRPCStatus {
				// The server heard of the deadline too, and was the first to act on it.
				assert.Contains(t, got.Reason.Text, "DEADLINE_EXCEEDED")
				return
			}
			assert.Equal(t, Reason{test.kind, test.text}, got.Reason)
			assert.Positive(t, got.Phases.Connect)
			assert.Zero(t, got.Phases.TLS)
		})
	}
}

func TestGRPCOverTLS(t *testing.T) {
	ca := newAuthority(t, "our own CA")
	serve := func(s *grpc.Server) { healthpb.RegisterHealthServer(s, grpchealth.NewServer()) }
	creds := credentials.NewServerTLSFromCert(new(ca.server(longAgo, farOff)))
	address := grpcServer(t, serve, grpc.Creds(creds))
	trusting := func(c *config.Check) { c.TLS = &config.TLSCheck{CA: ca.pem, ServerName: "www.example.org"} }

	got := probeTimed(t, targetAt(t, grpcCheck("", trusting), address))
	require.Equal(t, Reason{}, got.Reason)
	assert.Positive(t, got.Phases.TLS)
	assert.Equal(t, farOff, got.CertificateExpiry)

	wantFailure(t, targetAt(t, grpcCheck("", func(c *config.Check) {
		c.TLS = &config.TLSCheck{CA: ca.pem, ServerName: "api.example.org"}
	}), address), WrongName, "certificate is for www.example.org, 127.0.0.1, not for api.example.org")

	plain := &tls.Config{Certificates: []tls.Certificate{ca.server(longAgo, farOff)}}
	wantFailure(t, targetAt(t, grpcCheck("", trusting), tlsServer(t, plain)), TLSError, "the peer does not offer h2")
	plain = plain.Clone()
	plain.NextProtos = []string{"http/1.1"}
	wantFailure(t, targetAt(t, grpcCheck("", trusting), tlsServer(t, plain)), TLSError,
		"the peer refused TLS: no application protocol")
}

// frames is what a server of HTTP/2 says after the client's preface, made by hand.
func frames(write func(*http2.Framer)) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := http2.NewFramer(conn, nil)
		_ = f.WriteSettings()
		write(f)
		hang(conn)
	}
}

func block(pairs ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(pairs); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return b.Bytes()
}

func TestGRPCPeersThatMisbehave(t *testing.T) {
	headers := func(f *http2.Framer, end bool, pairs ...string) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(pairs...), EndHeaders: true, EndStream: end})
	}
	for _, test := range []struct {
		name  string
		serve func(net.Conn)
		hurry bool
		kind  Kind
		text  string
	}{
		{"silent", hang, true, FirstByteTimeout, "timeout after 500ms before the first byte"},
		{"settings, then silent", frames(func(*http2.Framer) {}), true, HeaderTimeout, "timeout after 500ms before the response"},
		{"headers, then silent", frames(func(f *http2.Framer) { headers(f, false, ":status", "200") }), true, BodyTimeout,
			"timeout after 500ms in body"},
		{"one octet per 50 ms", trickling("\x00\x03\xe8\x04" + string(make([]byte, 100))), true, HeaderTimeout,
			"timeout after 500ms before the response"},
		{"closes", func(net.Conn) {}, false, Closed, ""},
		{"HTTP/1.1", greeting("HTTP/1.1 400 Bad Request\r\n\r\n"), false, Protocol, "the peer does not speak HTTP/2"},
		{"another status", frames(func(f *http2.Framer) { headers(f, true, ":status", "503") }), false, Status,
			"HTTP status 503, want 200"},
		{"no gRPC status", frames(func(f *http2.Framer) { headers(f, true, ":status", "200") }), false, Protocol,
			"protocol error: an answer without a gRPC status"},
		{"no message", frames(func(f *http2.Framer) { headers(f, true, ":status", "200", "grpc-status", "0") }), false, Protocol,
			"protocol error in the answer: no message"},
		{"reset", frames(func(f *http2.Framer) { _ = f.WriteRSTStream(1, http2.ErrCodeRefusedStream) }), false, Closed,
			"the peer reset the call with REFUSED_STREAM"},
		{"goes away", frames(func(f *http2.Framer) { _ = f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }), false, Closed,
			"the peer ended the connection with ENHANCE_YOUR_CALM"},
		{"endless data", frames(func(f *http2.Framer) {
			headers(f, false, ":status", "200")
			for f.WriteData(1, false, make([]byte, 1000)) == nil {
				continue
			}
		}), false, Protocol, "protocol error: an answer longer than 21504 octets"},
		{"endless pings", frames(func(f *http2.Framer) {
			for f.WritePing(false, [8]byte{}) == nil {
				continue
			}
		}), false, Protocol, "protocol error: an answer longer than 21504 octets"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := grpcCheck("", func(c *config.Check) {
				if test.hurry {
					c.Timeout = 500 * time.Millisecond
				}
			})
			target := targetAt(t, check, listen(t, test.serve))
			if test.text != "" {
				wantFailure(t, target, test.kind, test.text)
				return
			}
			assert.Equal(t, test.kind, probeTimed(t, target).Reason.Kind)
		})
	}
}

func FuzzHealthStatus(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 5, 0x12, 1, 'x', 8, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := healthStatus(b)
		if err != nil {
			return
		}
		want := new(healthpb.HealthCheckResponse)
		if proto.Unmarshal(b[5:], want) == nil && uint64(want.GetStatus()) != got && got < 1<<31 {
			t.Errorf("status %d, want %d", got, want.GetStatus())
		}
		if n := binary.BigEndian.Uint32(b[1:]); int(n) != len(b)-5 {
			t.Errorf("length %d of %d", n, len(b)-5)
		}
	})
}
