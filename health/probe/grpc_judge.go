package probe

import (
	"encoding/binary"
	"errors"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The statuses of grpc.health.v1.HealthCheckResponse.
const (
	servingStatus        = 1
	notServingStatus     = 2
	serviceUnknownStatus = 3
)

// grpcStatuses are the status codes of gRPC by number.
var grpcStatuses = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// judge reads what the call gave.
func (c *grpcChecker) judge(call *grpcCall, r *Result) {
	switch {
	case call.http != "200":
		r.fail(because(Status, "HTTP status %s, want 200", clip(call.http, 10)))
	case call.status == "0":
		c.judgeStatus(call.body, r)
	case call.status == "":
		r.fail(because(Protocol, "protocol error: an answer without a gRPC status"))
	case call.status == "5": // NOT_FOUND
		r.fail(because(NotServing, "SERVICE_UNKNOWN: the server does not know %s", c.what()))
	case call.status == "12": // UNIMPLEMENTED
		r.fail(because(GRPCStatus, "gRPC status UNIMPLEMENTED: the server has no service grpc.health.v1.Health"))
	default:
		name := "code " + clip(call.status, 10)
		if n, err := strconv.Atoi(call.status); err == nil && n >= 0 && n < len(grpcStatuses) {
			name = grpcStatuses[n]
		}
		if call.message != "" {
			name += ": " + call.message
		}
		r.fail(because(GRPCStatus, "gRPC status %s", name))
	}
}

// judgeStatus reads the message of a call that succeeded.
func (c *grpcChecker) judgeStatus(body []byte, r *Result) {
	status, err := healthStatus(body)
	switch {
	case err != nil:
		r.fail(because(Protocol, "protocol error in the answer: %v", err))
	case status == servingStatus:
	case status == notServingStatus:
		r.fail(because(NotServing, "NOT_SERVING: %s", c.what()))
	case status == serviceUnknownStatus:
		r.fail(because(NotServing, "SERVICE_UNKNOWN: the server does not know %s", c.what()))
	default:
		r.fail(because(NotServing, "health status %d: %s", status, c.what()))
	}
}

// what names what was asked about.
func (c *grpcChecker) what() string {
	if c.service == "" {
		return "the server as a whole"
	}
	return "the service " + strconv.Quote(clip(c.service, 80))
}

// healthStatus is field 1 of the HealthCheckResponse in body, which is one length-prefixed message.
func healthStatus(body []byte) (uint64, error) {
	switch {
	case len(body) < 5:
		return 0, errors.New("no message")
	case body[0] != 0:
		return 0, errors.New("a compressed message")
	case int(binary.BigEndian.Uint32(body[1:])) != len(body)-5:
		return 0, errors.New("not one whole message")
	}
	var status uint64
	for b := body[5:]; len(b) > 0; {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		b = b[n:]
		if number == 1 && kind == protowire.VarintType {
			status, n = protowire.ConsumeVarint(b)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		b = b[n:]
	}
	return status, nil
}
