package probe

import (
	"context"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/http2"

	"github.com/fairlead-dns/fairlead/health"
)

// probeHTTP2 sends request over conn, whose handshake offered h2 alone. x/net/http2 reads on a goroutine of its own, which
// ends with the connection; what it is given of time and octets is bounded as for HTTP/1.1.
func (c *httpChecker) probeHTTP2(ctx context.Context, conn net.Conn, request *http.Request, target health.Target, r *Result) {
	start := time.Now()
	//lint:ignore SA1019 net/http takes no connection: it would dial a second time, past the rules of what may be dialled
	transport := &http2.Transport{DisableCompression: true, MaxHeaderListSize: MaxHeader, StrictMaxConcurrentStreams: true}
	//lint:ignore SA1019 see above
	session, err := transport.NewClientConn(conn)
	if err != nil {
		r.fail(brokenReason(err, stepFirstByte, target))
		return
	}
	defer session.Close()
	// The scheme and the authority of the pseudo headers; the request that checks share is not written.
	request = request.Clone(ctx)
	request.URL.Scheme, request.URL.Host, request.Close = "https", request.Host, false
	answer, err := session.RoundTrip(request)
	if err != nil {
		r.fail(brokenReason(err, stepFirstByte, target))
		return
	}
	defer answer.Body.Close()
	r.Phases.FirstByte = time.Since(start)
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	c.judge(answer, s, target, r)
}
