package config

import (
	"fmt"
	"math"
	"time"
)

func serviceShape() *shape {
	return object(append(answerKeys(), moveKeys()...)...)
}

// answerKeys are the keys of a service that say what is answered, and to whom.
func answerKeys() []key {
	return []key{
		optional("also", list(enum("region", "az"))).fills("Service.Also").says("Extra names NAME.REGION and NAME.AZ, each for one place alone: for tests."),
		optional("tiers", tiersShape()).fills("Service.Tiers").says(
			"The failover order: the first tier with an available pool answers, by the weights of its pools; needed, unless there is an `alias`. A tier has addresses or CNAME targets; tiers may differ."),
		optional("alias", aliasShape()).says("A host name in the place of `tiers`, at the apex too: the nodes resolve it, and answer its addresses, or those that are up."),
		optional("answers", orWord(integer(1, 1000), "all")).fills("Service.Answers").or("1; all of an `alias`").says("How many records an answer has. Clients reorder them: with more than one the weights are only roughly kept."),
		optional("ttl", ttlShape()).says("The TTL of its answers. Both bounds are rungs: 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60 ... seconds."),
		optional("staleness", object(
			optional("target", duration(time.Second, maxHold)).fills("Staleness.Target").or("none").says("`fairlead check` fails when the computed bound exceeds it."),
			optional("rto", duration(time.Second, maxHold)).fills("Staleness.RTO").or("none").says("How long a whole recovery may take; incidents are measured by it."),
		)).says("What you want of the bound: how long after a death caches may still hold it."),
		optional("clients", list(clientShape())).says("Other tiers by who asks: CIDR before geo, the longest prefix first."),
		optional("order", enum("nearest", "fastest")).fills("Service.Nearest").or("by weights").says(
			"Splits each tier: nearest by the client's distance to the regions, which needs a geo database; fastest by measured times, and by distance where none are known.").as("nearest"),
		optional("latency", object(
			required("table", text("a file name", lineText)).fills("Latency.Table").says("The measurements, below the zone file's directory: lines `at INSTANT`, each followed by lines `NETWORK REGION=12ms REGION=80ms`; a network is a prefix, asn:N, country:CC or continent:CC.").as("rtt.txt"),
			optional("margin", duration(0, time.Second)).fills("Latency.Margin").or(defaultLatencyMargin).says("By how much another region must be faster to be chosen instead.").as("5ms"),
			optional("margin_percent", percent(0, 90)).fills("Latency.Percent").or("10%").says("The same as a part of the time of the chosen region; both must hold.").as("10%"),
			optional("hold", duration(0, 24*time.Hour)).fills("Latency.Hold").or(defaultLatencyHold).says("For how long it must have been faster, in every measurement.").as("5m"),
			optional("max_age", duration(time.Second, 30*24*time.Hour)).fills("Latency.MaxAge").or(defaultLatencyMaxAge).says("How old a measurement may be that counts; then distance decides, or weights.").as("1h"),
		)).says("What `order: fastest` goes by.").as("{table: rtt.txt}"),
		optional("island", islandShape()).fills("Service.Island").or("as any node that is isolated").says("What a node answers that is cut off from most of the cluster.").as("{region: own}"),
		optional("ecs", boolean()).fills("Service.ECS").or(false).says("Believes the client subnet that resolvers send (RFC 7871)."),
		optional("sticky", object(
			optional("v4", integer(1, 32)).fills("Sticky.V4").or(defaultStickyV4).says("How many bits of an IPv4 client's address count."),
			optional("v6", integer(1, 128)).fills("Sticky.V6").or(defaultStickyV6).says("How many bits of an IPv6 client's address count."),
		)).says("One client prefix gets one endpoint, by weighted hashing, for as long as it is eligible."),
		optional("cells", object(
			required("shards", integer(1, maxShards)).fills("Cells.Shards").says("How many shards there are. A label that is a number below it is that shard; others are hashed."),
			required("home", dict("pool", either(rangeOf(0, maxShards-1), &shape{list: rangeOf(0, maxShards-1)}))).says("The shards of each pool, as in 0-511 or [0-100, 900-1007]; together all of them, once each. [] is a pool that is to get some."),
			optional("map", text("a file name", lineText)).fills("Cells.Map").says("A file of lines LABEL SHARD, below the zone file's directory: the shards of labels that are not to be hashed.").as("tenants.map"),
			optional("failover", dict("pool", list(reference("a pool")))).says("Who takes a pool's shards while it cannot answer, in this order."),
		)).says("SHARD.NAME is answered by the home pool of the shard."),
		optional("srv", object(
			required("port", port()).says("The port in the SRV records."),
			optional("priority", integer(0, math.MaxUint16)).or(0).says("Their priority."),
		)).says("Answers SRV whose targets follow the plan."),
		optional("https", object(
			optional("priority", integer(1, math.MaxUint16)).or(defaultHTTPSPriority).says("SvcPriority (RFC 9460).").as("1"),
			optional("alpn", list(text("an ALPN protocol", alpn))).says("The protocols.").as("[h3, h2]"),
			optional("port", port()).or("443, unsaid").says("Another port than that of the scheme.").as("8443"),
		)).says("Answers HTTPS records whose address hints follow the plan."),
	}
}

// moveKeys are the keys of a service that say how traffic leaves, and how it comes back.
func moveKeys() []key {
	return []key{
		optional("on_all_down", either(enum("last_good", "all", "nodata"), list(address()))).or("last_good").
			says("What is answered when nothing is up: the last set that had something up, all, nothing, or these addresses. Never what is drained."),
		optional("rpo", lossShape()).fills("RPO.Max", "RPO.Unit").or("none").says("How much written data a move may lose: a duration, or octets as in 16MiB, as the `lag` of its pools counts.").as("30s"),
		optional("on_rpo", enum("hold", "enter_and_report")).fills("RPO.Report").or("it is held back").
			says("What becomes of a pool that keeps data and whose lag is more than `rpo`, or not known, when health would move the service there.").as("hold"),
		optional("demand", integer(1, maxRequests)).fills("Service.Demand").or("not known").says("How many requests a second it gets at its peak: what `capacity` of its pools is held against.").as("1400"),
		optional("needs", &shape{list: reference("a service"), most: maxNeeds}).fills("Service.Needs").or("none").
			says("Services without which it is of no use, as an application of its database: previews say where it would be cut from them, and it leaves a place before them.").as("[db]"),
		optional("failback", object(
			optional("mode", enum("auto", "manual", "never")).fills("Failback.Mode").or("auto").says("Who lets a pool or an AZ back that had nothing eligible: time, `fairlead failback`, or a new version of the file."),
			optional("hold", duration(0, maxHold)).fills("Failback.Hold").or(defaultFailbackHold).says("How long it must be eligible before it gets traffic."),
			optional("ramp", list(percent(1, 100))).fills("Failback.Ramp").or("all at once").says("The shares by which it gets traffic again: ascending, the last one 100%."),
			optional("step", duration(time.Second, 24*time.Hour)).fills("Failback.Step").or(defaultRampStep).says("The time between two steps of the ramp."),
		)).says("How a pool or an AZ returns that had nothing eligible."),
		optional("failover", object(
			required("ramp", list(percent(1, 100))).fills("Failover.Ramp").says("The shares by which it takes over: ascending, the last one 100%. The rest goes to the tiers after it; where none takes it the pool gets all.").as("[10%, 50%, 100%]"),
			optional("step", duration(time.Second, 24*time.Hour)).fills("Failover.Step").or(defaultRampStep).says("The time between two steps.").as("30s"),
			optional("while", reference("a check")).fills("Failover.While", "Failover.ByCheck").or("by time alone").says("The next step waits until this check is up on every endpoint of the pool that is in service.").as("ready"),
		)).or("at once").says("How a pool of a later tier, which keeps no data, takes over when its turn comes.").as("{ramp: [10%, 50%, 100%], step: 30s, while: ready}"),
		optional("safety", object(
			optional("keep_regions", integer(0, 1000)).fills("Safety.KeepRegions").or(0).says("A drain must leave so many regions."),
			optional("keep_azs", integer(0, 1000)).fills("Safety.KeepAZs").or(0).says("A drain must leave so many AZs."),
			optional("max_drained", percent(1, 100)).fills("Safety.MaxDrained").or("no limit").says("Drains take away at most this share of the weight."),
		)).says("Rules that refuse drains; `never_empty` always holds."),
		optional("health", object(
			optional("max_removal", percent(1, 100)).fills("Limits.MaxRemoval").or(fmt.Sprintf("%d%%", defaultMaxRemoval)).says("Within 60 s health alone removes at most this share of the weight, beyond one endpoint per pool, one AZ or one pool."),
			optional("panic_below", percent(0, 100)).fills("Limits.PanicBelow").or("0%").says("While less than this of the last eligible tier is up, all of it answers."),
		)).says("Rules for what health alone may remove."),
		optional("standby", object(
			required("trickle", trickle()).fills("Standby.Trickle").says("The share of the second tier in peace, so that it is known to work."),
		)).says("A little traffic for the second tier."),
	}
}

func ttlShape() *shape {
	return object(
		optional("mode", enum("ceiling", "horizon")).fills("TTL.Mode").or("ceiling").
			says("`ceiling`: max in peace, min while something is suspect. `horizon`: never beyond the earliest time at which health could move the answer."),
		optional("max", ttl(1, maxTTL, true)).fills("TTL.Max").or(seconds(defaultTTLMax)).says("The TTL in peace."),
		optional("min", ttl(1, maxTTL, true)).fills("TTL.Min").or(seconds(defaultTTLMin)).says("The floor; where `max` is less than the default, that."),
	)
}

func tiersShape() *shape { return list(dict("pool", weight())) }

func clientShape() *shape {
	return object(
		required("match", object(
			optional("cidr", list(prefix())).says("Prefixes of clients, without host bits."),
			optional("continent", list(enum("AF", "AN", "AS", "EU", "NA", "OC", "SA"))).says("Continents."),
			optional("country", list(text("a country code", countryCode))).says("Countries (ISO 3166-1)."),
			optional("subdivision", list(text("a subdivision code", subdivisionCode))).says("Subdivisions (ISO 3166-2).").as("[US-CA]"),
			optional("asn", list(integer(1, math.MaxUint32))).says("Autonomous systems."),
		)).says("Whom the rule is for. All but `cidr` need a geo database (`geo.databases` of the node file)."),
		required("tiers", tiersShape()).says("Their tiers; when these are exhausted the service's follow."),
		optional("strict", boolean()).or(false).says("The service's tiers do not follow."),
	)
}
