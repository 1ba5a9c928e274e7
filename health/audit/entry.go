package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxLine bounds a line, its newline included, in octets: two pages, so that a reader needs no more memory than that.
	MaxLine = 8192
	// maxText is how much of each text is kept at most, in octets; the API takes reasons of 1,000.
	maxText = 1024
	// maxChange is up to what size Before and After are kept as they are, in octets.
	maxChange = 2048
)

// The actions that the log itself records. All others are those of the callers.
const (
	// ActionTorn: the last line was torn by a crash; it was moved aside.
	ActionTorn = "audit-torn"
	// ActionBroken: the chain before this entry is broken; a new segment begins with it.
	ActionBroken = "audit-broken"
)

// The outcomes of an entry; Refused and Failed are followed by the rule or by why.
const (
	OutcomeOK = "ok"
	Refused   = "refused: "
	Failed    = "failed: "
)

// An Entry is one thing that somebody asked for. Append fills Seq, At, Prev and Hash.
type Entry struct {
	// Seq counts from 1, without gaps.
	Seq uint64 `json:"seq"`
	// At is this node's wall clock, for people: the order is that of Seq.
	At   time.Time `json:"at"`
	Node string    `json:"node"`
	// Actor is who says they ask, From is where the connection came from.
	Actor string `json:"actor"`
	From  string `json:"from"`
	// Action is a verb, as drain; Object is what it is about, as "az eu-a".
	Action  string `json:"action"`
	Object  string `json:"object"`
	Reason  string `json:"reason"`
	Outcome string `json:"outcome"`
	// Before and After are what changed. One that is longer than 2,048 octets is replaced by its size and SHA-256.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Asked is the request of what was refused or went wrong: nothing else tells what it was. It is bounded as they are.
	Asked json.RawMessage `json:"asked,omitempty"`
	// Prev is the Hash of the entry before, 64 zeros in the first. Hash is the SHA-256 of the line without it: of everything
	// before `,"hash"`, and a closing brace.
	Prev string `json:"prev"`
	Hash string `json:"hash,omitempty"`
}

// The end of every line, around the hash.
const (
	hashKey = `,"hash":"`
	hashEnd = `"}`
	hashLen = 2 * sha256.Size
	tailLen = len(hashKey) + hashLen + len(hashEnd)
)

// noHash is what the first entry chains to.
var noHash = strings.Repeat("0", hashLen)

// A link is the end of a chain.
type link struct {
	seq  uint64
	hash string
}

// encode is the line of e, newline included, and sets its Hash. What does not fit is cut, with a mark: an entry is never
// lost for its length.
func (e *Entry) encode() ([]byte, error) {
	e.Before, e.After, e.Asked = bounded(e.Before), bounded(e.After), bounded(e.Asked)
	texts := []*string{&e.Node, &e.Actor, &e.From, &e.Action, &e.Object, &e.Reason, &e.Outcome}
	whole := make([]string, len(texts))
	for i, t := range texts {
		// Else a reader who encodes the entry again gets another line.
		whole[i] = strings.ToValidUTF8(*t, "\ufffd")
	}
	// Escapes make a text up to six times as long, so only trying tells. Without texts a line has less than 5,000 octets.
	for limit := maxText; ; limit /= 2 {
		for i, t := range texts {
			*t = cut(whole[i], limit)
		}
		line, err := e.line()
		if err != nil || len(line) <= MaxLine || limit == 0 {
			return line, err
		}
	}
}

// Line is the line of an entry that was read, as it is in the log, newline included.
func (e Entry) Line() ([]byte, error) { return e.line() }

func (e *Entry) line() ([]byte, error) {
	e.Hash = ""
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	e.Hash = hashOf(body)
	line := append(body[:len(body)-1:len(body)-1], hashKey...)
	line = append(line, e.Hash...)
	return append(line, hashEnd+"\n"...), nil
}

// decode reads a line without its newline. why is empty, or says what is wrong with it.
func decode(line []byte) (e Entry, why string) {
	at := len(line) - tailLen
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(hashKey)) || !bytes.HasSuffix(line, []byte(hashEnd)) {
		return e, "not an entry: it does not end with a hash"
	}
	body := append(line[:at:at], '}')
	if hashOf(body) != string(line[at+len(hashKey):len(line)-len(hashEnd)]) {
		return e, "changed: its hash does not match"
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, "not an entry: " + err.Error()
	}
	return e, ""
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// cut is the first limit octets of s, with a mark that says how many are missing.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return fmt.Sprintf("%s… (%d octets cut)", s[:n], len(s)-n)
}

// bounded is raw, or its size and hash where raw is too long or no JSON.
func bounded(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	switch err := json.Compact(&b, raw); {
	case len(raw) == 0:
		return nil
	case err == nil && b.Len() <= maxChange:
		return b.Bytes()
	}
	return fmt.Appendf(nil, `{"cut":true,"octets":%d,"sha256":"%s"}`, len(raw), hashOf(raw))
}
