package wire

import (
	"encoding/hex"
	"encoding/json"
	"strings"
)

// A Resolution is what ResolvePath answers: a DNS message in the members of RFC 8427, and what Fairlead knows beside it.
type Resolution struct {
	AA int `json:"AA"`
	TC int `json:"TC"`
	// RCODE is 0 also where there is no such record; 3 is NXDOMAIN.
	RCODE     int    `json:"RCODE"`
	QNAME     string `json:"QNAME"`
	QTYPE     uint16 `json:"QTYPE"`
	QTYPEname string `json:"QTYPEname"`
	QCLASS    uint16 `json:"QCLASS"`
	// Answer and Authority are the sections; OPT and the additional section are left out.
	Answer    []RR `json:"answerRRs"`
	Authority []RR `json:"authorityRRs,omitempty"`
	// Given is there for names of services: with set=all it has Sets, else all but those, since this client was given the records of Answer
	// alone.
	Given *Given `json:"fairlead,omitempty"`
}

// An RR is one record.
type RR struct {
	Name     string
	Type     uint16
	TypeName string
	Class    uint16
	TTL      uint32
	// Wire is the RDATA on the wire, Data as in a zone file.
	Wire []byte
	Data string
}

// rr has the members of RFC 8427 section 2.2 but for the one whose name has the type in it.
type rr struct {
	NAME     string `json:"NAME"`
	TYPE     uint16 `json:"TYPE"`
	TYPEname string `json:"TYPEname"`
	CLASS    uint16 `json:"CLASS"`
	TTL      uint32 `json:"TTL"`
	RDATAHEX string `json:"RDATAHEX"`
}

// MarshalJSON writes Data as "rdataA", "rdataCNAME" and so on.
func (r RR) MarshalJSON() ([]byte, error) {
	out, err := json.Marshal(rr{r.Name, r.Type, r.TypeName, r.Class, r.TTL, strings.ToUpper(hex.EncodeToString(r.Wire))})
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]string{"rdata" + r.TypeName: r.Data})
	if err != nil {
		return nil, err
	}
	return append(append(out[:len(out)-1], ','), data[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *RR) UnmarshalJSON(b []byte) error {
	var in rr
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	wire, err := hex.DecodeString(in.RDATAHEX)
	if err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	*r = RR{Name: in.NAME, Type: in.TYPE, TypeName: in.TYPEname, Class: in.CLASS, TTL: in.TTL, Wire: wire}
	if data, ok := all["rdata"+in.TYPEname]; ok {
		return json.Unmarshal(data, &r.Data)
	}
	return nil
}
