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
