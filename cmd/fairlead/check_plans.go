package main

import (
	"path/filepath"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
)

// plansDir is what a directory of plan files is called.
const plansDir = "plans.d"

// planPaths takes the paths of plans out of paths: files with the key that only plans have, and directories of plans by their name.
func planPaths(paths []string) (plans, others []string) {
	for _, path := range paths {
		if isPlanPath(path) {
			plans = append(plans, path)
		} else {
			others = append(others, path)
		}
	}
	return plans, others
}

func isPlanPath(path string) bool {
	if isDir(path) {
		abs, err := filepath.Abs(path)
		return err == nil && filepath.Base(abs) == plansDir
	}
	if !strings.HasSuffix(path, ".yaml") {
		return false
	}
	content, err := config.ReadPlan(path)
	return err == nil && config.IsPlan(content)
}

// readPlans reads the plans at paths; with zones what they name must be in them.
func readPlans(paths []string, zones []*config.Zone) (plans []*config.Plan, problems config.Problems) {
	if len(zones) == 0 {
		zones = nil
	}
	for _, path := range paths {
		if isDir(path) {
			found, more, err := config.ReadPlans(path, zones)
			if err != nil {
				more = config.Problems{{File: path, Message: "cannot be read: " + plainPathError(err)}}
			}
			plans, problems = append(plans, found...), append(problems, more...)
			continue
		}
		content, err := config.ReadPlan(path)
		if err != nil {
			problems = append(problems, config.Problem{File: path, Message: "cannot be read: " + plainPathError(err)})
			continue
		}
		p, more := config.ParsePlan(path, content, zones)
		if problems = append(problems, more...); p != nil {
			plans = append(plans, p)
		}
	}
	return plans, problems
}
