package ledger

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A Loss is what a service may have lost of what was written when it left one pool that keeps data for another: all of it lies between the last
// measurement of the lag before the failure and the last instant at which anything could be written.
type Loss struct {
	// From is the pool that was left, Pool the one whose lag it is.
	From string `json:"from"`
	Pool string `json:"pool"`
	// Unit is seconds or bytes; Lag is in it, and so is RPO, 0 where none is declared. Lag is absent where none was measured: then nothing is known.
	Unit string   `json:"unit" enum:"seconds|bytes"`
	Lag  *float64 `json:"lag,omitempty"`
	RPO  float64  `json:"rpo,omitempty"`
	// MeasuredAt is the instant that Lag is of, Until that of the first failed probe of what failed last, or of the order: by then a pool that has
	// stopped has written its last. SwitchAt is when the service answered with something that is up again.
	MeasuredAt time.Time `json:"measured_at,omitzero"`
	Until      time.Time `json:"until"`
	SwitchAt   time.Time `json:"switch_at,omitzero"`
	// WindowSeconds is the greatest loss if the pool wrote nothing after Until, WindowAtSwitchSeconds if it wrote until SwitchAt, as one does that
	// is cut off and goes on. They are absent where the lag is in bytes, or not known.
	WindowSeconds         *float64 `json:"window_seconds,omitempty"`
	WindowAtSwitchSeconds *float64 `json:"window_at_switch_seconds,omitempty"`
	// WithinRPO is absent while that is not known.
	WithinRPO *bool `json:"within_rpo,omitempty"`
}

// derived is l with what follows from the instants; nil stays nil.
func (l *Loss) derived() *Loss {
	if l == nil {
		return nil
	}
	d := *l
	d.WindowSeconds, d.WindowAtSwitchSeconds, d.WithinRPO = nil, nil, nil
	if d.Lag == nil {
		return &d
	}
	if d.unit() == config.LagSeconds {
		d.WindowSeconds = d.upTo(d.Until)
		if !d.SwitchAt.IsZero() {
			d.WindowAtSwitchSeconds = d.upTo(d.SwitchAt)
		}
	}
	switch {
	case d.RPO == 0:
	case d.WindowSeconds != nil:
		within := *d.WindowSeconds <= d.RPO
		d.WithinRPO = &within
	case *d.Lag > d.RPO:
		// What was written after the measurement only adds to it.
		within := false
		d.WithinRPO = &within
	}
	return &d
}

func (l *Loss) unit() config.LagUnit {
	if l.Unit == config.LagOctets.String() {
		return config.LagOctets
	}
	return config.LagSeconds
}

// upTo is the greatest loss if things were written until an instant.
func (l *Loss) upTo(until time.Time) *float64 {
	s := *l.Lag + max(0, until.Sub(l.MeasuredAt)).Seconds()
	return &s
}

// Text is the loss in words.
func (l *Loss) Text() string {
	seconds := func(s float64) string { return config.LagText(s, config.LagSeconds) }
	if l.Lag == nil {
		return fmt.Sprintf("what may be lost is not known: the lag of pool %s was not measured", l.Pool)
	}
	before := seconds(max(0, l.Until.Sub(l.MeasuredAt)).Seconds())
	measured := fmt.Sprintf("lag %s of pool %s, measured %s before %s failed", config.LagText(*l.Lag, l.unit()), l.Pool, before, l.From)
	if l.WindowSeconds == nil {
		return fmt.Sprintf("up to %s, and what was written in the %s after that (%s)", config.LagText(*l.Lag, l.unit()), before, measured)
	}
	text := fmt.Sprintf("up to %s of commits (%s)", seconds(*l.WindowSeconds), measured)
	if l.WindowAtSwitchSeconds != nil {
		text += fmt.Sprintf("; up to %s if %s took commits until the switch", seconds(*l.WindowAtSwitchSeconds), l.From)
	}
	if l.WithinRPO != nil {
		text += "; rpo " + config.LagText(l.RPO, l.unit())
		if *l.WithinRPO {
			text += " kept"
		} else {
			text += " NOT kept"
		}
	}
	return text
}

// LossLines are what its services may have lost, in words.
func (i *Incident) LossLines() (lines []string) {
	for k := range i.Services {
		if s := &i.Services[k]; s.Loss != nil {
			lines = append(lines, "loss of "+strings.TrimSuffix(s.Service, ".")+": "+s.Loss.Text())
		}
	}
	return lines
}
