package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxParameters bounds the work of one request.
const maxParameters = 100

// query is the query string, which may hold the keys that are known and no others.
func query(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: query string: %w", ErrInvalid, err)
	}
	n := 0
	for key, all := range values {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("%w: unknown parameter %q: want one of %q", ErrInvalid, key, known)
		}
		n += len(all)
	}
	if n > maxParameters {
		return nil, fmt.Errorf("%w: %d parameters, at most %d", ErrInvalid, n, maxParameters)
	}
	return values, nil
}

// decode reads the whole body as one JSON object without unknown keys, and makes who is logged in its actor.
func decode(r *http.Request, into any) error {
	// Whatever is in it: a body may be missing.
	defer attribute(r, into)
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// asked reads the body of an order, a T, and notes in its record who asks, and why.
func asked[T any](r *http.Request) (req T, rec *record, err error) {
	rec = recordOf(r)
	if err = decode(r, &req); err == nil {
		body := reflect.ValueOf(req)
		rec.asks(body.FieldByName("Actor").String(), body.FieldByName("Reason").String())
	}
	return req, rec, err
}

// endRequest reads the body of an order that ends something, and notes who asks; an empty body is one.
func endRequest(r *http.Request) (req api.EndRequest, err error) {
	err = decode(r, &req)
	recordOf(r).asks(req.Actor, req.Reason)
	if err != nil && !errors.Is(err, io.EOF) {
		return req, err
	}
	return req, health.ValidateWords(req.Actor, req.Reason)
}

// invalid is the reply to a request that says nothing that could be done.
func invalid(err error) (int, any) {
	status := http.StatusBadRequest
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	return status, failure(status, err)
}

func failure(status int, err error) *api.Problem {
	return &api.Problem{Title: http.StatusText(status), Status: status, Detail: err.Error()}
}

// attribute makes the login of r the actor of a body that names one.
func attribute(r *http.Request, body any) {
	l := loginOf(r.Context())
	v := reflect.ValueOf(body)
	if l.name == "" || v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return
	}
	if f := v.Elem().FieldByName("Actor"); f.IsValid() && f.Kind() == reflect.String {
		f.SetString(l.actor(f.String()))
	}
}

// problem answers with an error (RFC 9457). The type is about:blank, which is what an empty one means: the title is the
// status's.
func problem(w http.ResponseWriter, status int, detail string) {
	e := encodeReply(status, &api.Problem{Title: http.StatusText(status), Status: status, Detail: detail})
	e.write(w)
}

// An encodedReply is a reply as it goes out.
type encodedReply struct {
	status int
	media  string
	body   []byte
}

// encodeReply encodes before anything is written, so that a body is whole or not there.
func encodeReply(status int, body any) encodedReply {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(body); err != nil {
		return encodeReply(http.StatusInternalServerError, failure(http.StatusInternalServerError, err))
	}
	media := "application/json"
	if _, ok := body.(*api.Problem); ok {
		media = api.ProblemType
	}
	return encodedReply{status, media, b.Bytes()}
}

func (e *encodedReply) write(w http.ResponseWriter) {
	if e.media != "" {
		w.Header().Set("Content-Type", e.media)
	}
	w.WriteHeader(e.status)
	// The client went away, or it did not: nothing more can be told to it.
	_, _ = w.Write(e.body)
}
