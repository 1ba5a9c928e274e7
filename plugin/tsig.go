package fairlead

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"reflect"
	"strings"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// tsigKeys are TSIG keys that a reload may change, in base64 by name. They implement dns.TsigProvider.
type tsigKeys func() map[string]string

// tsigHashes are the algorithms, by their names (RFC 8945 section 6); that of MD5 is left out.
var tsigHashes = map[string]func() hash.Hash{
	dns.HmacSHA1: sha1.New, dns.HmacSHA224: sha256.New224, dns.HmacSHA256: sha256.New, dns.HmacSHA384: sha512.New384, dns.HmacSHA512: sha512.New,
}

// Generate is the MAC of a message.
func (k tsigKeys) Generate(msg []byte, t *dns.TSIG) ([]byte, error) {
	secret, ok := k()[strings.ToLower(t.Hdr.Name)]
	if !ok {
		return nil, dns.ErrSecret
	}
	raw, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		return nil, err
	}
	h, ok := tsigHashes[strings.ToLower(t.Algorithm)]
	if !ok {
		return nil, dns.ErrKeyAlg
	}
	mac := hmac.New(h, raw)
	mac.Write(msg)
	return mac.Sum(nil), nil
}

// Verify checks the MAC of a message.
func (k tsigKeys) Verify(msg []byte, t *dns.TSIG) error {
	want, err := k.Generate(msg, t)
	if err != nil {
		return err
	}
	got, err := hex.DecodeString(t.MAC)
	if err != nil {
		return err
	}
	if !hmac.Equal(want, got) {
		return dns.ErrSig
	}
	return nil
}

// refuseTSIG answers a query that is signed by a key that nobody here has (RFC 8945 section 5.2.1).
func refuseTSIG(w dns.ResponseWriter, r *dns.Msg) (int, error) {
	asked := r.IsTsig()
	r.Extra = r.Extra[:len(r.Extra)-1]
	m := new(dns.Msg).SetRcode(r, dns.RcodeNotAuth)
	// The OPT record stands before the TSIG record, which is the last.
	state := request.Request{W: w, Req: r}
	state.SizeAndDo(m)
	m.Extra = append(m.Extra, &dns.TSIG{
		Hdr:       dns.RR_Header{Name: asked.Hdr.Name, Rrtype: dns.TypeTSIG, Class: dns.ClassANY},
		Algorithm: asked.Algorithm, TimeSigned: asked.TimeSigned, Fudge: asked.Fudge, OrigId: r.Id, Error: dns.RcodeBadKey,
	})
	if err := w.WriteMsg(m); err != nil {
		// The client's loss.
		return dns.RcodeNotAuth, nil
	}
	return dns.RcodeSuccess, nil
}

// signsPlain tells whether the plugin tsig, which h is the handler of, wants other questions signed than those for transfers, which the lane
// does not answer. Of a version that is not known it is taken to.
func signsPlain(h reflect.Value) bool {
	h = reflect.Indirect(h)
	for _, all := range []string{"allTypes", "allOpcodes"} {
		if f := h.FieldByName(all); f.Kind() != reflect.Bool || f.Bool() {
			return true
		}
	}
	types, opcodes := h.FieldByName("types"), h.FieldByName("opcodes")
	if types.Kind() != reflect.Map || opcodes.Kind() != reflect.Map {
		return true
	}
	for _, t := range types.MapKeys() {
		if typ := uint16(t.Uint()); typ != dns.TypeAXFR && typ != dns.TypeIXFR {
			return true
		}
	}
	for _, o := range opcodes.MapKeys() {
		if o.Int() == dns.OpcodeQuery {
			return true
		}
	}
	return false
}
