package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/event"
)

const (
	// SignatureHeader is t=UNIX,v1=HEX: the HMAC-SHA-256, with the hook's secret, of UNIX, a dot and the body. Who receives it refuses
	// a time that is five minutes off, so that nobody can send an old event again.
	SignatureHeader = "Fairlead-Signature"
	// contentType is that of a CloudEvent in structured mode (CloudEvents HTTP binding 1.0.2 section 3.2).
	contentType = "application/cloudevents+json"
	// typePrefix begins every type of a CloudEvent of ours.
	typePrefix = "dev.fairlead."
	// firstPause doubles with each attempt up to lastPause; after maxAttempts, about a day, the letter is dead.
	firstPause, lastPause = time.Second, 5 * time.Minute
	maxAttempts           = 380
	// maxPatience bounds what a receiver can ask for with Retry-After: a year would be a dead letter that nobody sees.
	maxPatience = time.Hour
	// maxReply is what is read of a reply.
	maxReply = 4 << 10
)

// A cloudEvent is the envelope (CloudEvents 1.0.2 section 3).
type cloudEvent struct {
	SpecVersion     string         `json:"specversion"`
	ID              string         `json:"id"`
	Source          string         `json:"source"`
	Type            string         `json:"type"`
	Subject         string         `json:"subject,omitempty"`
	Time            time.Time      `json:"time"`
	DataContentType string         `json:"datacontenttype"`
	Data            map[string]any `json:"data"`
}

func envelope(e event.Event) ([]byte, error) {
	data := map[string]any{"text": e.Text}
	for k, v := range e.Data {
		data[k] = v
	}
	return json.Marshal(cloudEvent{
		SpecVersion: "1.0", ID: e.Node + "-" + strconv.FormatUint(e.Seq, 10), Source: "/fairlead/" + e.Node, Type: typePrefix + e.Type,
		Subject: e.Subject, Time: e.At, DataContentType: "application/json", Data: data,
	})
}

// Sign is the value of SignatureHeader.
func Sign(secret []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// A refusal is a reply that no other attempt would change.
type refusal struct{ status int }

func (r *refusal) Error() string { return fmt.Sprintf("the receiver answers %d", r.status) }

// A later is a reply that asks for patience.
type later struct {
	status int
	after  time.Duration
}

func (l *later) Error() string { return fmt.Sprintf("the receiver answers %d", l.status) }

// deliver tries until the event is delivered; why says in words why it never will be, empty if it is.
func (h *one) deliver(ctx context.Context, e event.Event) (why string) {
	body, err := envelope(e)
	if err != nil {
		return err.Error()
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := h.post(ctx, body)
		refused, never := errors.AsType[*refusal](err)
		switch {
		case err == nil:
			return ""
		case never:
			return refused.Error()
		case attempt == maxAttempts:
			return fmt.Sprintf("%d attempts: %v", attempt, err)
		}
		h.retried.Inc()
		h.mu.Lock()
		h.lastError = err.Error()
		h.mu.Unlock()
		wait := pause/2 + rand.N(pause/2+1)
		if l, ok := errors.AsType[*later](err); ok {
			wait = max(wait, l.after)
		}
		pause = min(2*pause, lastPause)
		select {
		case <-ctx.Done():
			return "the node ends"
		case <-time.After(wait):
		}
	}
}

// post tries once.
func (h *one) post(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "fairlead")
	if h.Secret != "" {
		// Read each time: whoever replaces it need not start the node anew.
		secret, err := config.ReadKeyFile(h.Secret)
		if err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		req.Header.Set(SignatureHeader, Sign(bytes.TrimSpace(secret), time.Now(), body))
	}
	reply, err := h.sender.opts.Client.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		// Without the URL, which may hold a secret.
		return failed.Err
	}
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(reply.Body, maxReply))
	switch code := reply.StatusCode; {
	case code/100 == 2:
		return nil
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code/100 == 5:
		return &later{code, patience(reply.Header.Get("Retry-After"), time.Now())}
	default:
		return &refusal{code}
	}
}

// patience is what Retry-After asks for, in seconds or as a date (RFC 9110 section 10.2.3); 0 if that is nothing.
func patience(text string, now time.Time) time.Duration {
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxPatience)
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, int64(maxPatience/time.Second))) * time.Second
}
