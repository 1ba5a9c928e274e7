package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxPlanFiles bounds the plans of a directory.
const maxPlanFiles = 100

// ReadPlans reads the plan files of a directory, *.yaml, in the order of their names. What is wrong with one keeps no other from counting; of
// two with one name the first one counts. The error is that of the directory itself.
func ReadPlans(dir string, zones []*Zone) (plans []*Plan, problems Problems, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	files := make(map[string]string)
	read := 0
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasSuffix(name, ".yaml") || strings.HasPrefix(name, ".") {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if read++; read > maxPlanFiles {
			problems = append(problems, Problem{File: path, Message: fmt.Sprintf("more than %d plans: this one is not read", maxPlanFiles)})
			continue
		}
		content, err := ReadPlan(path)
		if err != nil {
			problems = append(problems, Problem{File: path, Message: "cannot be read: " + reasonOf(err)})
			continue
		}
		p, found := ParsePlan(path, content, zones)
		problems = append(problems, found...)
		if p == nil {
			continue
		}
		if first, twice := files[p.Name]; twice {
			problems = append(problems, Problem{File: path, Path: "plan", Message: fmt.Sprintf("the plan %q is in %s too", p.Name, first), Help: "a plan has one file"})
			continue
		}
		files[p.Name] = path
		plans = append(plans, p)
	}
	return plans, problems, nil
}

// ReadPlan reads a plan file, of which no more than one octet too many is taken.
func ReadPlan(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxPlanBytes+1))
}

// reasonOf is the error without the operation and the path.
func reasonOf(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
