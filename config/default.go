package config

import "time"

// The defaults of a zone file, in one place. docs/design.md, sections 3 to 6, is the source where no reason stands here.
const (
	// defaultNegativeTTL is short, so that a name added a moment ago is found soon.
	defaultNegativeTTL = 10
	// defaultNSTTL and defaultRecordTTL are for data that steering never moves; name servers change by plan.
	defaultNSTTL     = 3600
	defaultRecordTTL = 300

	// The timers concern secondaries (RFC 1912 section 2.2 ranges).
	defaultRefresh = 7200
	defaultRetry   = 3600
	defaultExpire  = 1209600

	// With these a failure is seen after fall × interval + timeout = 7 s.
	defaultInterval = 2 * time.Second
	// defaultTimeout is the timeout of a check whose interval is longer; otherwise half the interval.
	defaultTimeout = time.Second
	defaultFall    = 3
	defaultRise    = 2

	defaultMethod = "GET"
	defaultPath   = "/"
	// defaultStatusFirst and defaultStatusLast: any success. A redirect is not followed, so it is a failure.
	defaultStatusFirst = 200
	defaultStatusLast  = 299
	// defaultWarnBefore is a week: time for a person to renew a certificate that automation missed.
	defaultWarnBefore = 168 * time.Hour
	// defaultLease is how long a pushed report is good for.
	defaultLease = 30 * time.Second

	defaultWeight     = 1
	defaultMinHealthy = 1

	// defaultAnswers is 1, since clients reorder what they get and with more the weights lie.
	defaultAnswers = 1
	defaultTTLMax  = 30
	// defaultTTLMin is the floor: a second less would cost resolvers a query per second and client.
	defaultTTLMin       = 2
	defaultFailbackHold = 30 * time.Second
	// defaultRampStep is the time between the steps of a ramp that names none.
	defaultRampStep = time.Minute
	// defaultMaxRemoval lets one of three sites go, and never more at once.
	defaultMaxRemoval = 34

	// The usual prefix lengths of RFC 7871 section 11.1.
	defaultStickyV4 = 24
	defaultStickyV6 = 56

	defaultHTTPSPriority = 1
)

// defaultPorts are the well-known ports. tcp has none: it must be said what is dialled.
var defaultPorts = map[CheckType]uint16{CheckHTTP: 80, CheckHTTPS: 443, CheckTLS: 443, CheckGRPC: 443, CheckDNS: 53}

// defaultRName is the mailbox of RFC 2142 section 7, under the zone.
const defaultRName = "hostmaster"
