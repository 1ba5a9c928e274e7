package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"github.com/fairlead-dns/fairlead/config"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// effects are what a zone does: values in words by object and key.
type effects map[string]map[string]string

// effectsOf walks the whole of z. Indices become names, so that an order without meaning is no effect.
func effectsOf(z *config.Zone) effects {
	w := &effectWalk{zone: z, out: make(effects)}
	w.object("zone")
	w.put("soa.mname", z.SOA.MName)
	w.put("soa.rname", z.SOA.RName)
	w.put("soa.serial", strconv.FormatUint(uint64(z.SOA.Serial), 10))
	w.put("soa.negative_ttl", ttlText(z.SOA.NegativeTTL))
	w.put("soa.ttl", ttlText(z.SOA.TTL))
	w.put("soa.refresh", ttlText(z.SOA.Refresh))
	w.put("soa.retry", ttlText(z.SOA.Retry))
	w.put("soa.expire", ttlText(z.SOA.Expire))
	w.put("ns_ttl", ttlText(z.NSTTL))
	w.put("allow_shrink", strconv.FormatBool(z.AllowShrink))
	w.put("cookies.amplification", strconv.Itoa(z.Amplification))
	w.put("transfer.view", z.Transfer.String())
	if z.RRL != nil {
		w.fields("rrl", reflect.ValueOf(*z.RRL))
	}
	if sec := z.DNSSEC; sec != nil {
		w.put("dnssec.validity", config.DurationText(sec.Validity))
		w.put("dnssec.ttl", ttlText(sec.TTL))
		w.put("dnssec.csync", strconv.FormatBool(sec.CSYNC))
		for _, k := range sec.Keys {
			w.object("key " + k.File)
			w.put("flags", strconv.Itoa(int(k.Flags)))
			w.walk("publish", reflect.ValueOf(k.Publish.String()))
			w.walk("activate", reflect.ValueOf(k.Activate.String()))
			w.walk("inactive", reflect.ValueOf(k.Inactive.String()))
			w.walk("delete", reflect.ValueOf(k.Delete.String()))
		}
	}
	for _, n := range z.NameServers {
		w.object("name server " + n.Name)
		w.walk("addresses", reflect.ValueOf(n.Addresses))
	}
	for _, r := range z.Records {
		w.object("record " + strings.TrimSuffix(r.Name, ".") + " " + r.TypeName())
		w.put("ttl", ttlText(r.TTL))
		w.put("data", r.Text())
	}
	for _, r := range z.Regions {
		w.object("region " + r.Name)
		w.fields("", reflect.ValueOf(r))
	}
	for _, a := range z.AZs {
		w.object("AZ " + a.Name)
		w.fields("", reflect.ValueOf(a))
	}
	for _, c := range z.Checks {
		w.object("check " + c.Name)
		w.fields("", reflect.ValueOf(*c))
	}
	for _, p := range z.Pools {
		w.object("pool " + p.Name)
		w.fields("", reflect.ValueOf(*p))
		for _, e := range p.Endpoints {
			w.object("endpoint " + p.Name + "/" + e.Name)
			w.fields("", reflect.ValueOf(*e))
		}
	}
	for _, s := range z.Services {
		w.object("service " + strings.TrimSuffix(s.Name, "."))
		w.fields("", reflect.ValueOf(*s))
	}
	return w.out
}

func ttlText(seconds uint32) string { return strconv.FormatUint(uint64(seconds), 10) + "s" }

// An effectWalk puts values under the keys of one object after the other.
type effectWalk struct {
	zone *config.Zone
	out  effects
	at   map[string]string
}

func (w *effectWalk) object(name string) {
	w.at = make(map[string]string)
	w.out[name] = w.at
}

func (w *effectWalk) put(key, value string) { w.at[key] = value }

// derived are fields that follow from others, that name the object, or that are objects of their own.
var derived = []string{
	"Pool.Name", "Pool.Services", "Pool.Failbacks", "Pool.Endpoints", "Pool.azGiven", "Pool.lateHits", "Service.Name", "Service.Pools", "Service.Places", "Service.Line",
	"Check.Name", "Check.Digest", "Latency.Measured", "Latency.Latest", "Latency.Ahead", "Endpoint.Name", "Region.Name", "AZ.Name",
}

// fieldKeys is FieldKeys for those that only read it.
var fieldKeys = sync.OnceValue(config.FieldKeys)

// fields walks a struct; prefix is the key of it with a dot.
func (w *effectWalk) fields(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := v.Type().Name() + "." + f.Name
		if slices.Contains(derived, name) {
			continue
		}
		key, known := fieldKeys()[name]
		if !known {
			key = prefix + snake(f.Name)
		}
		switch name {
		case "Pool.AZWeights":
			w.azWeights(key, v.Interface().(config.Pool))
		case "Pool.From":
			for j, from := range v.Interface().(config.Pool).From {
				w.put(fmt.Sprintf("%s.%d", key, j+1), from.Describe(w.zone))
			}
		case "Pool.Named":
			for _, n := range v.Interface().(config.Pool).Named {
				w.put("endpoints."+n.Name, n.Describe(w.zone))
			}
		case "Service.Tiers", "ClientRule.Tiers":
			w.tiers(key, v.Field(i).Interface().([]config.Tier))
		case "Cells.Home":
			w.homes(key, v.Interface().(config.Cells))
		case "Cells.Empty":
		case "Cells.Map":
			w.labels(key, v.Field(i).Interface().(map[string]int))
		case "Latency.Networks":
			w.measured(prefix+"measured", v.Interface().(config.Latency))
		case "Cells.Failover":
			w.failover(key, v.Field(i).Interface().(map[int][]int))
		case "Gate.Check":
			if v.Interface().(config.Gate).ByCheck {
				w.put(key, w.index(name, int(v.Field(i).Int())))
			}
		case "Pool.Lag":
			if v.Interface().(config.Pool).HasLag {
				w.put(key, w.index(name, int(v.Field(i).Int())))
			}
		case "Failover.While":
			if v.Interface().(config.Failover).ByCheck {
				w.put(key, w.index(name, int(v.Field(i).Int())))
			}
		case "Pool.HasLag", "Failover.ByCheck":
		case "AZ.Region", "Pool.Region", "Pool.Check", "Endpoint.AZ":
			w.put(key, w.index(name, int(v.Field(i).Int())))
		case "Pool.Needs", "Composite.Of":
			var names []string
			for j := range v.Field(i).Len() {
				names = append(names, w.index("Pool.Check", int(v.Field(i).Index(j).Int())))
			}
			slices.Sort(names)
			w.put(key, strings.Join(names, ", "))
		default:
			w.walk(key, v.Field(i))
		}
	}
}

// index is the name of what an index field names.
func (w *effectWalk) index(field string, i int) string {
	if i < 0 {
		return "none"
	}
	switch field {
	case "AZ.Region", "Pool.Region":
		return w.zone.Regions[i].Name
	case "Endpoint.AZ":
		return w.zone.AZs[i].Name
	}
	return w.zone.Checks[i].Name
}

func (w *effectWalk) azWeights(key string, p config.Pool) {
	for _, a := range p.AZWeights {
		if p.Explicit {
			w.put(key+"."+w.zone.AZs[a.AZ].Name, strconv.Itoa(a.Weight))
		}
	}
}

// tiers puts the weight of each pool, and the pools that a tier has.
func (w *effectWalk) tiers(key string, tiers []config.Tier) {
	for i, t := range tiers {
		for _, s := range t {
			w.put(fmt.Sprintf("%s.%d.%s", key, i+1, w.zone.Pools[s.Pool].Name), strconv.Itoa(s.Weight))
		}
	}
}

// homes puts the shards of each pool.
func (w *effectWalk) homes(key string, c config.Cells) {
	for _, pool := range slices.Concat(c.Homes(), c.Empty) {
		shards := c.ShardsAt(pool).String()
		if shards == "" {
			shards = "none yet"
		}
		w.put(key+"."+w.zone.Pools[pool].Name, shards)
	}
}

// measured tells what a log of measurements comes to: how many networks are nearest to each region, and by a digest which.
func (w *effectWalk) measured(key string, l config.Latency) {
	chosen := make(map[string][]string)
	for i := range l.Networks {
		if l.Networks[i].Region < 0 {
			continue
		}
		region := w.zone.Regions[l.Networks[i].Region].Name
		chosen[region] = append(chosen[region], l.Networks[i].Name())
	}
	for region, networks := range chosen {
		slices.Sort(networks)
		w.put(key+"."+region, fmt.Sprintf("%d networks, %s", len(networks), digest(strings.Join(networks, "\n"))))
	}
}

// digest tells contents apart.
func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256 " + hex.EncodeToString(sum[:6])
}

// labels tells a map by its size and digest: labels are many, and what moves is told apart.
func (w *effectWalk) labels(key string, m map[string]int) {
	if len(m) == 0 {
		return
	}
	var lines strings.Builder
	for _, label := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&lines, "%s %d\n", label, m[label])
	}
	w.put(key, fmt.Sprintf("%d labels, %s", len(m), digest(lines.String())))
}

func (w *effectWalk) failover(key string, m map[int][]int) {
	for _, home := range slices.Sorted(maps.Keys(m)) {
		var names []string
		for _, i := range m[home] {
			names = append(names, w.zone.Pools[i].Name)
		}
		w.put(key+"."+w.zone.Pools[home].Name, strings.Join(names, ", "))
	}
}

// enumWords are the values of the enumerations.
var enumWords = map[reflect.Type][]string{
	reflect.TypeFor[config.TTLMode]():       {config.Ceiling: "ceiling", config.Horizon: "horizon"},
	reflect.TypeFor[config.AllDownPolicy](): {config.LastGood: "last_good", config.AnswerAll: "all", config.NoData: "nodata", config.Fixed: "fixed"},
	reflect.TypeFor[config.FailbackMode]():  {config.FailbackAuto: "auto", config.FailbackManual: "manual", config.FailbackNever: "never"},
	reflect.TypeFor[config.AlsoKind]():      {config.AlsoRegion: "region", config.AlsoAZ: "az"},
	reflect.TypeFor[config.AnswerKind]():    {config.Addresses: "addresses", config.Targets: "targets", config.Mixed: "addresses or targets, by tier"},
	reflect.TypeFor[config.CompositeOp]():   {config.OpAll: "all", config.OpAny: "any", config.OpNot: "not", config.OpAtLeast: "at_least"},
}

// walk puts a value of any type.
func (w *effectWalk) walk(key string, v reflect.Value) {
	if text, ok := inWords(v); ok {
		w.put(key, text)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		w.put(key, "set")
		w.fields(key+".", v.Elem())
	case reflect.Struct:
		w.fields(key+".", v)
	case reflect.Slice:
		w.list(key, v)
	default:
		panic("config: an effect of kind " + v.Kind().String() + " at " + key)
	}
}

// list puts a list of scalars as one value, others one by one.
func (w *effectWalk) list(key string, v reflect.Value) {
	var texts []string
	for i := range v.Len() {
		text, ok := inWords(v.Index(i))
		if !ok {
			w.walk(fmt.Sprintf("%s.%d", key, i+1), v.Index(i))
			continue
		}
		texts = append(texts, text)
	}
	if len(texts) > 0 {
		w.put(key, strings.Join(texts, ", "))
	}
}

// inWords is a value that has no parts, in words. Contents of files are told by their digest.
func inWords(v reflect.Value) (string, bool) {
	if list, ok := enumWords[v.Type()]; ok {
		return list[v.Uint()], true
	}
	switch x := v.Interface().(type) {
	case config.Amount:
		return percents(x.N, x.Percent), true
	case config.Quorum:
		if x.N == 0 {
			return "majority", true
		}
		return percents(x.N, x.Percent), true
	case []byte:
		if x == nil {
			return "", true
		}
		return digest(string(x)), true
	case config.StatusRange:
		return fmt.Sprintf("%d-%d", x.First, x.Last), true
	case fmt.Stringer:
		return x.String(), true
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Float64:
		return fmt.Sprint(v.Interface()), true
	}
	return "", false
}

func percents(n int, percent bool) string {
	if percent {
		return strconv.Itoa(n) + "%"
	}
	return strconv.Itoa(n)
}

// snake is a name of Go as a key has it: MinHealthy is min_healthy, ClientCA is client_ca.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		lowerNext := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || lowerNext) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
