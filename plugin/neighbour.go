package fairlead

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/coredns/coredns/plugin"
)

// checkNeighbours refuses plugins in the server block that would change our answers on their way out. `cache` is not
// among them: it asks CacheBypassZones.
func checkNeighbours(handlers []plugin.Handler) error {
	for _, h := range handlers {
		switch h.Name() {
		case "dnssec":
			return errors.New("the plugin dnssec stands in the same server block: it caches signatures and changes TTLs, which breaks the bound")
		case "rewrite":
			if rule := ttlRule(h); rule != "" {
				return fmt.Errorf("the plugin rewrite stands in the same server block with a ttl rule (%s): it changes TTLs, which breaks the bound", rule)
			}
		}
	}
	return nil
}

// ttlRule is the type of a rewrite rule that changes TTLs; empty if there is none. The rules are not exported, but their
// types have names. Not importing the plugin keeps it out of programs that do not want it.
func ttlRule(h plugin.Handler) string {
	v := reflect.Indirect(reflect.ValueOf(h))
	if v.Kind() != reflect.Struct {
		return ""
	}
	rules := v.FieldByName("Rules")
	if !rules.IsValid() || rules.Kind() != reflect.Slice {
		return ""
	}
	for i := range rules.Len() {
		rule := rules.Index(i)
		for rule.Kind() == reflect.Interface || rule.Kind() == reflect.Pointer {
			rule = rule.Elem()
		}
		if rule.IsValid() && strings.Contains(strings.ToLower(rule.Type().Name()), "ttl") {
			return rule.Type().Name()
		}
	}
	return ""
}
