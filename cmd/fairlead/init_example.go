package main

import (
	"os"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/geo/geomake"
)

// addExample adds to the zone files the TLS files that zone.example.yaml names: the CA of init, and the operator's certificate, with which its
// checks introduce themselves.
func (l *initLayout) addExample(zones map[string]string) error {
	for name, from := range map[string]string{"ca.pem": "ca.crt", "probe.pem": initOperator + ".crt", "probe.key": initOperator + ".key"} {
		text, err := os.ReadFile(l.caFile(from))
		if err != nil {
			return err
		}
		zones[name] = string(text)
	}
	return nil
}

// examplePlaces is a small geo database: documentation's networks, in the places that the example's rules name.
func examplePlaces() (string, error) {
	db, _, err := geomake.FromCSV(strings.NewReader(`network,continent,country,asn,latitude,longitude
192.0.2.0/24,EU,DE,64500,50.1,8.7
198.51.100.0/24,NA,US,64501,39.0,-77.5
203.0.113.0/24,AS,TR,64502,41.0,28.9
127.0.0.0/8,EU,IE,64503,53.3,-6.3
2001:db8::/32,EU,DE,64500,50.1,8.7
`), "places")
	return string(db), err
}
