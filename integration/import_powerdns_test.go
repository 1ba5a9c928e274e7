package integration

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// TestImportPowerDNS: PowerDNS and Fairlead on the imported zone answer alike in three states of health, for each function and selector that the
// importer carries over.
func TestImportPowerDNS(t *testing.T) {
	suite.Long(t)
	all := []inquiry{
		{name: "port", tiers: [][]string{{"127.8.0.11", "127.8.0.12", "127.8.0.13"}}},
		{name: "every", tiers: [][]string{{"127.8.0.21", "127.8.0.22", "127.8.0.23"}}},
		{name: "hash", by: byClient, tiers: [][]string{{"127.8.0.31", "127.8.0.32", "127.8.0.33"}}},
		{name: "url", tiers: [][]string{{"127.8.0.51", "127.8.0.52", "127.8.0.53"}}},
		{name: "urls", tiers: [][]string{{"127.8.0.61", "127.8.0.62"}, {"127.8.0.63"}, {"127.8.0.64"}}},
		{name: "urlall", tiers: [][]string{{"127.8.0.71", "127.8.0.72", "127.8.0.73"}}},
		{name: "urlhash", by: byClient, tiers: [][]string{{"127.8.0.81", "127.8.0.82", "127.8.0.83"}}},
		{name: "rnd"},
		{name: "rnd", typ: dns.TypeAAAA},
		{name: "alias", typ: dns.TypeCNAME},
		{name: "wrnd"},
		{name: "sample", by: byMember},
		{name: "hashed", by: byClient},
		{name: "whashed", by: byClient},
		{name: "all"},
		{name: "view"},
		{name: "view", by: byClient},
		{name: "text"},
		{name: "return"},
	}
	var endpoints []string
	for _, q := range all {
		for _, tier := range q.tiers {
			endpoints = append(endpoints, tier...)
		}
	}
	f := newForeigner(t, "pdns_server", endpoints, map[string]string{
		"pdns.conf": `launch=bind
bind-config=DIR/named.conf
local-address=127.0.0.1
local-port=DNS
socket-dir=DIR
enable-lua-records=yes
lua-health-checks-interval=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
daemon=no
guardian=no
`,
		"named.conf": `zone "example.org" { type native; file "DIR/example.org"; };
`,
		"example.org": `$ORIGIN example.org.
@ 60 IN SOA ns1.example.org. hostmaster.example.org. 1 7200 1800 259200 60
@ 60 IN NS ns1.example.org.
ns1 60 IN A 127.0.0.1
mail 300 IN A 192.0.2.25
port 60 IN LUA A "ifportup(PORT, {'127.8.0.11', '127.8.0.12', '127.8.0.13'})"
every 60 IN LUA A "ifportup(PORT, {'127.8.0.21', '127.8.0.22', '127.8.0.23'}, {selector='all', backupSelector='all'})"
hash 60 IN LUA A "ifportup(PORT, {'127.8.0.31', '127.8.0.32', '127.8.0.33'}, {selector='hashed', backupSelector='hashed'})"
url 60 IN LUA A "ifurlup('http://www.example.org:PORT/ready?deep=1', {'127.8.0.51', '127.8.0.52', '127.8.0.53'})"
urls 60 IN LUA A ("ifurlup('http://www.example.org:PORT/ready?deep=1', { {'127.8.0.61', '127.8.0.62'}, {'127.8.0.63'}, {'127.8.0.64'} }, "
  "{stringmatch='is fine', useragent='looker', timeout=1})")
urlall 60 IN LUA A "ifurlup('http://www.example.org:PORT/ready?deep=1', {'127.8.0.71', '127.8.0.72', '127.8.0.73'}, {selector='all', backupSelector='all'})"
urlhash 60 IN LUA A ("ifurlup('http://www.example.org:PORT/ready?deep=1', {'127.8.0.81', '127.8.0.82', '127.8.0.83'}, "
  "{selector='hashed', backupSelector='hashed', stringmatch='is fine'})")
rnd 60 IN LUA A "pickrandom({'192.0.2.1', '192.0.2.2'})"
rnd 60 IN LUA AAAA "pickrandom({'2001:db8::1', '2001:db8::2'})"
alias 60 IN LUA CNAME "pickrandom({'a.example.net', 'b.example.net', 'c.example.net'})"
wrnd 60 IN LUA A "pickwrandom({ {30, '192.0.2.3'}, {10, '192.0.2.4'} })"
sample 60 IN LUA A "pickrandomsample(2, {'192.0.2.11', '192.0.2.12', '192.0.2.13', '192.0.2.14'})"
hashed 60 IN LUA A "pickhashed({'192.0.2.15', '192.0.2.16', '192.0.2.17', '192.0.2.18'})"
whashed 60 IN LUA A "pickwhashed({ {1, '192.0.2.19'}, {2, '192.0.2.20'}, {5, '192.0.2.21'} })"
all 60 IN LUA A "all({'192.0.2.5', '192.0.2.6'})"
view 60 IN LUA A "view({ {{'127.20.1.0/24'}, {'192.0.2.9'}}, {{'127.0.0.0/8'}, {'192.0.2.7'}}, {{'0.0.0.0/0'}, {'192.0.2.8'}} })"
text 60 IN LUA A "'192.0.2.22'"
return 60 IN LUA A ";return pickrandom({'192.0.2.23', '192.0.2.24'})"
`}, []string{"pdns_server", "--config-dir=DIR"}, "mail")
	everything := make(map[string]ailment)
	for i, a := range endpoints {
		everything[a] = refuses
		if i%2 == 0 && i >= 9 {
			everything[a] = fails
		}
	}
	f.importBy("pdns-lua", f.dir+"/example.org")
	for _, ailments := range []map[string]ailment{
		nil,
		{"127.8.0.11": refuses, "127.8.0.22": refuses, "127.8.0.33": refuses,
			"127.8.0.51": fails, "127.8.0.61": strange, "127.8.0.62": silent, "127.8.0.72": refuses, "127.8.0.81": strange},
		everything,
	} {
		f.health(ailments)
		// There is no way to ask it for states.
		f.settles(all)
		f.compare(all)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	require.True(t, f.agents["looker"])
}
