package integration

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// TestImportGdnsd: gdnsd and Fairlead on the imported zone answer alike in three states of health.
func TestImportGdnsd(t *testing.T) {
	suite.Long(t)
	all := []inquiry{
		{name: "three", tiers: [][]string{{"127.8.0.11", "127.8.0.12", "127.8.0.13"}}},
		{name: "split", tiers: [][]string{{"127.8.0.21", "127.8.0.22", "127.8.0.23"}}},
		{name: "pair", tiers: [][]string{{"127.8.0.31"}, {"127.8.0.32"}}},
		{name: "prod", tiers: [][]string{{"127.8.0.41", "127.8.0.42"}, {"127.8.0.43", "127.8.0.44"}}},
		{name: "prod-two", tiers: [][]string{{"127.8.0.43", "127.8.0.44"}}},
		{name: "site", tiers: [][]string{{"127.8.0.51", "127.8.0.52"}}},
		{name: "near", tiers: [][]string{{"127.8.0.62"}, {"127.8.0.61"}}},
		{name: "still"},
	}
	var endpoints []string
	for _, q := range all {
		if q.name != "prod-two" {
			for _, tier := range q.tiers {
				endpoints = append(endpoints, tier...)
			}
		}
	}
	f := newForeigner(t, "gdnsd", endpoints, map[string]string{
		"run/.keep": "", "state/.keep": "",
		"config": `options => { listen => 127.0.0.1:DNS, run_dir => DIR/run, state_dir => DIR/state }
service_types => {
  web => { plugin => tcp_connect, port => PORT, interval => 2, timeout => 1, up_thresh => 1, ok_thresh => 1, down_thresh => 2 }
  page => { plugin => http_status, port => PORT, vhost => www.example.org, url_path => "/ready?deep=1", ok_codes => [ 200 ]
    interval => 2, timeout => 1, up_thresh => 1, ok_thresh => 1, down_thresh => 2 }
}
plugins => {
  multifo => { up_thresh => 0.4
    three => { service_types => web, a => 127.8.0.11, b => 127.8.0.12, c => 127.8.0.13 }
    site => { service_types => page, a => 127.8.0.51, b => 127.8.0.52 } }
  weighted => { service_types => web, up_thresh => 0.2
    split => { a = [ 127.8.0.21, 5 ], b = [ 127.8.0.22, 3 ], c = [ 127.8.0.23, 2 ] } }
  simplefo => { service_types => web, pair => { primary => 127.8.0.31, secondary => 127.8.0.32 } }
  static => { fixed => 192.0.2.7 }
  metafo => { service_types => web, resources => { prod => { datacenters => [ one, two ]
    dcmap => { one => { a => 127.8.0.41, b => 127.8.0.42 }, two => [ 127.8.0.43, 127.8.0.44 ] } } } }
  geoip => {
    maps => { places => { datacenters => [ one, two ], nets => { 127.0.0.0/8 => [ two, one ] } } }
    resources => { near => { map => places, service_types => web, dcmap => { one => 127.8.0.61, two => 127.8.0.62 } } } }
}
`,
		"zones/example.org": `@ SOA ns1 hostmaster 1 7200 1800 259200 60
@ NS ns1
ns1 A 127.0.0.1
mail 300 A 192.0.2.25
@ 300 MX 10 mail
three 60/10 DYNA multifo!three
site 60/10 DYNA multifo!site
split 60/10 DYNA weighted!split
pair 60/10 DYNA simplefo!pair
prod 60/10 DYNA metafo!prod
prod-two 60/10 DYNA metafo!prod/two
near 60/10 DYNA geoip!near
still 60 DYNA static!fixed
`}, []string{"gdnsd", "-c", "DIR", "start"}, "mail")
	f.importBy("gdnsd", f.dir)
	// All but three, which answers what is down too while less than up_thresh is up.
	turns := all[1 : len(all)-1]
	for _, ailments := range []map[string]ailment{
		nil,
		{"127.8.0.11": refuses, "127.8.0.22": refuses, "127.8.0.31": refuses, "127.8.0.41": refuses, "127.8.0.51": fails, "127.8.0.62": refuses},
		{"127.8.0.11": refuses, "127.8.0.12": refuses, "127.8.0.13": refuses, "127.8.0.21": refuses,
			"127.8.0.31": refuses, "127.8.0.41": refuses, "127.8.0.42": refuses, "127.8.0.52": silent, "127.8.0.61": refuses},
	} {
		f.health(ailments)
		await(t, fmt.Sprint("gdnsd to know ", ailments), func() bool {
			out, err := exec.Command("gdnsdctl", "-c", f.dir, "states").Output()
			if err != nil {
				return false
			}
			for _, a := range endpoints {
				service, state := "web", "UP"
				if strings.HasPrefix(a, "127.8.0.5") {
					service = "page"
				}
				if ailments[a] != 0 {
					state = "DOWN"
				}
				if !strings.Contains(string(out), fmt.Sprintf(`"%s/%s": {"state": %q`, a, service, state)) {
					return false
				}
			}
			return f.answer(f.server, all[0], nil) == strings.Join(f.standing(all[0]), " ")
		})
		// It publishes what it knows up to a second later.
		f.settles(turns)
		f.compare(all)
	}
}
