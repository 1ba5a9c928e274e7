package health

import "github.com/fairlead-dns/fairlead/config"

// A Transition is one endpoint whose view became another one. Old and New are equal where nothing moved but its pool's way back: then it
// stands for the pool.
type Transition struct {
	Zone     *config.Zone
	Pool     *config.Pool
	Endpoint *config.Endpoint
	Old, New EndpointView
}

// An AddressTransition is an address that left the answers, or came back, while its endpoint stayed.
type AddressTransition struct {
	*Transition
	Family   config.Family
	Withheld bool
}

// AddressTransitions are those among transitions.
func AddressTransitions(transitions []Transition) (moved []AddressTransition) {
	for k := range transitions {
		t := &transitions[k]
		if t.New.Each == nil || !t.New.Eligible() {
			continue
		}
		for _, f := range config.Families() {
			// What was out with its whole endpoint is no news while the other address comes back.
			if was, is := t.Old.Withheld(f), t.New.Withheld(f); was != is && t.Old.Eligible() {
				moved = append(moved, AddressTransition{t, f, is})
			}
		}
	}
	return moved
}

// Address is the address.
func (t *AddressTransition) Address() string { return t.Endpoint.Addr(t.Family).String() }

// Verdict is that on the address.
func (t *AddressTransition) Verdict() Verdict { return t.New.Each[t.Family] }
