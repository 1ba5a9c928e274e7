package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// planName is also what names of runs begin with, and of orders.
var planNameText = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

func planName(s string) error {
	if len(s) > maxPlanName || !planNameText.MatchString(s) {
		return fmt.Errorf("want small letters, digits and hyphens, at most %d, got %q", maxPlanName, shorten(s))
	}
	return nil
}

func planText(s string) error {
	if len(s) > maxPlanText {
		return fmt.Errorf("%d octets of text, at most %d fit", len(s), maxPlanText)
	}
	return lineText(s)
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

var clockText = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

func clock(s string) error {
	if !clockText.MatchString(s) {
		return fmt.Errorf("want a time of day in UTC, as in 09:30, got %q", shorten(s))
	}
	return nil
}

func planHookURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Opaque != "" || u.Fragment != "" {
		return errors.New("want a URL that begins with https:// and a host")
	}
	if u.User != nil {
		return errors.New("a URL in a plan cannot have a user: whoever may see a run would know the password")
	}
	return lineText(s)
}

func planPoolText(s string) error {
	zone, pool, ok := strings.Cut(s, "/")
	if !ok {
		return parseIdentifier(s)
	}
	if _, err := parseName(zone, "."); err != nil {
		return err
	}
	return parseIdentifier(pool)
}

// planPool is POOL or ZONE/POOL.
func planPool() *shape { return text("a pool, as POOL or ZONE/POOL", planPoolText) }

var sharedPlanShape = sync.OnceValue(planShape)

func planShape() *shape {
	return object(
		required("plan", text("a name", planName)).says("The plan's name, in commands and reports."),
		optional("says", text("a line of text", planText)).says("What it is for: whoever starts it reads it."),
		optional("zone", text("a zone", zoneName)).or("none").says("The zone of pools, endpoints and checks that are named without one."),
		optional("on_failure", enum("stop", "undo")).or("stop").
			says("What a step that fails leads to: the run stops and waits for a person, or undoes what it did, the last step first."),
		optional("practice", object(
			required("day", enum(weekdays...)).says("The day of the week, in UTC."),
			required("at", text("a time of day, as in 09:30", clock)).says("When the window opens, in UTC."),
			optional("window", duration(time.Minute, 24*time.Hour)).or(defaultPracticeWindow).
				says("How long the window is: a practice begins in it, as soon as nothing is down and nothing drained."),
			optional("hold", duration(0, 24*time.Hour)).or(defaultPracticeHold).says("How long what the practice did stays before it is undone."),
		)).or("never by itself").says("When the plan is practised by itself, each week."),
		required("steps", &shape{list: planStepShape(), least: 1, most: MaxPlanSteps}).says("What is done, one step after the other. Each has one key that says what."),
	)
}

func planStepShape() *shape {
	return object(
		optional("name", text("a name", planName)).or("the kind and the place, as in drain-3").says("The step's name, unique in the plan."),
		optional("says", text("a line of text", planText)).says("What the step is for."),
		optional("only", enum(PlanGraceful, PlanUngraceful)).or("both").says("The variant to which the step belongs: a run of the other one leaves it out."),
		optional("practice", boolean()).or("true, of hook, ready, unready and approve false").says("Whether practice runs carry it out too."),
		optional("timeout", duration(time.Second, maxStepTimeout)).or("10m, of hook 30s, of shift 2h, of approve 24h").says("How long it may take before it has failed."),
		optional("hook", planHookShape(true)).says("Tells somebody outside, who acts."),
		optional("wait", planConditionShape(true)).says("Goes on once something holds."),
		optional("ready", planPool()).says("Opens the gate of a pool, as `fairlead ready` does."),
		optional("unready", planPool()).says("Closes the gate of a pool."),
		optional("drain", planDrainShape()).says("Takes something out of the answers until the run is undone, or a person ends it."),
		optional("shift", planShiftShape()).says("Moves the share of one pool to another one of its tier, little by little, while the receiver is well."),
		optional("freeze", boolean()).says("true stops every automatic verdict, false lets them move again that this run stopped."),
		optional("verify", planConditionShape(false)).says("Fails unless something holds within `timeout`."),
		optional("approve", object(
			optional("role", enum("operator", "admin")).or("operator").says("What whoever approves must be."),
			optional("person", text("a name", lineText)).or("anybody of the role").says("Who alone may approve, by the name of their login.").as("ada"),
			optional("other", boolean()).or(false).says("Whether it must be another person than the one who started the run; without it whoever started the run may approve it too."),
		)).says("Waits for a person: `fairlead plan approve`."),
	)
}

func planHookShape(undo bool) *shape {
	keys := []key{
		optional("url", text("a URL, as in https://ops.example.org/scale", planHookURL)).says("Gets a POST, with the key of the step in the header `Idempotency-Key`.").as("https://ops.example.org/scale/us"),
		optional("secret_file", text("a path", lineText)).or("unsigned").says("The file, on each node, whose content signs what is sent.").as("/etc/fairlead/plans.secret"),
		optional("insecure", boolean()).or(false).says("Lets `url` be http://."),
		optional("run", &shape{list: text("a word", lineText), least: 1, most: 50}).
			says("A program with its arguments, which gets the key of the step as FAIRLEAD_IDEMPOTENCY_KEY; needs `plans.exec` in the node file.").as("[/usr/local/bin/scale, us]"),
	}
	if undo {
		keys = append(keys,
			optional("idempotent", boolean()).or(false).
				says("Whether one key that comes twice acts once: then what may have got through before a node died is sent again, else a person is asked."),
			optional("undo", planHookShape(false)).or("nobody").says("Who is told when the run is undone."),
		)
	}
	return object(keys...)
}

func planConditionShape(wait bool) *shape {
	keys := []key{
		optional("up", planPool()).says("A pool that is in service: its gate is open and `least` of its endpoints are up.").as("web-us"),
		optional("least", percent(1, 100)).or("100%").says("How many endpoints of `up` must be.").as("80%"),
		optional("down", planPool()).says("A pool of which no endpoint is up.").as("web-eu"),
		optional("check", reference("a check")).says("A check of the zone, all of whose endpoints that are not drained are up.").as("http"),
		optional("lag", planPool()).says("A pool with a `lag` whose data is behind by `rpo` at most.").as("db-us"),
		optional("rpo", lossShape()).says("How far `lag` may be behind: a duration, or octets as in 16MiB. What was measured is in the evidence.").as("30s"),
	}
	if wait {
		keys = append([]key{optional("for", duration(time.Second, maxStepTimeout)).says("A time to pass.")}, keys...)
	} else {
		keys = append(keys,
			optional("bound", duration(time.Second, maxStepTimeout)).
				says("How long after its order caches may hold what the run took out: it fails if the nodes know of more, or do not know it in time."),
			optional("forgotten", boolean()).or(false).says("Whether every node must have said that no honest cache holds what the run took out."),
		)
	}
	return object(keys...)
}

func planDrainShape() *shape {
	return object(
		optional("pool", planPool()).says("What is drained: one of these four.").as("web-eu"),
		optional("az", text("an AZ", parseIdentifier)).says("An AZ.").as("eu-west-1a"),
		optional("region", text("a region", parseIdentifier)).says("A region.").as("eu-west"),
		optional("endpoint", text("an endpoint, as ZONE/POOL/ENDPOINT or POOL/ENDPOINT", lineText)).says("An endpoint.").as("web-eu/one"),
		optional("service", text("the name of a service", lineText)).or("all").says("The one service for which it is drained.").as("www"),
		optional("override", list(enum("never_empty", "keep_regions", "keep_azs", "max_drained", "rpo"))).or("none").
			says("Safety rules that shall not refuse it.").as("[keep_regions]"),
	)
}

func planShiftShape() *shape {
	return object(
		required("from", planPool()).says("The pool whose share goes to 0."),
		required("to", planPool()).says("The pool of the same tier that gets it."),
		optional("service", text("the name of a service", lineText)).or("all").says("The one service for which it is shifted.").as("www"),
		optional("step", percent(1, 100)).or("20%").says("How much of the share of `from` goes at once."),
		optional("every", duration(time.Second, 24*time.Hour)).or(defaultShiftEvery).says("How long `to` must have borne a step before the next one."),
		optional("check", reference("a check")).or("that of the pool alone").says("A check of the zone that must be up too, for error rates and the like.").as("errors"),
	)
}
