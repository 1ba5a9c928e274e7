package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// etagOf is the strong validator of a body: a part of its SHA-256, so that equal bodies have equal ones on every node.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// lists tells whether a header If-Match or If-None-Match names etag. What is weak matches nothing unless weak says so (RFC 9110
// section 8.8.3.2).
func lists(header []string, etag string, weak bool) bool {
	for item := range strings.SplitSeq(strings.Join(header, ","), ",") {
		item = strings.TrimSpace(item)
		if weak {
			item = strings.TrimPrefix(item, "W/")
		}
		if item == "*" || item == etag {
			return true
		}
	}
	return false
}

// tag gives the reply to a GET its validator, and makes it 304 if the client has it already.
func tag(w http.ResponseWriter, req *http.Request, e *encodedReply) {
	etag := etagOf(e.body)
	w.Header().Set("ETag", etag)
	if lists(req.Header.Values("If-None-Match"), etag, true) {
		*e = encodedReply{status: http.StatusNotModified}
	}
}

// ifMatch is do for a request that says what must be the case: what GET of the same path answers. The journal's lock is held from
// the comparison until the order is done, so that no other order of this node comes between.
func ifMatch(others []route, do func(*http.Request) (int, any)) func(*http.Request) (int, any) {
	return func(req *http.Request) (int, any) {
		recordOf(req).hold()
		i := slices.IndexFunc(others, func(r route) bool { return r.tagged })
		if i < 0 {
			return preconditionFailed(req, "this path has no ETag")
		}
		now := encodeReply(others[i].handle(req))
		if now.status != http.StatusOK || !lists(req.Header.Values("If-Match"), etagOf(now.body), false) {
			return preconditionFailed(req, "it is not what If-Match names any more")
		}
		return do(req)
	}
}

func preconditionFailed(req *http.Request, why string) (int, any) {
	rec := recordOf(req)
	rec.Object = objectOf(req)
	return http.StatusPreconditionFailed, failure(http.StatusPreconditionFailed, errors.New(why))
}
