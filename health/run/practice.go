package run

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// Window is the window of practice that now lies in, else the next one: from open until shut, in UTC.
func Window(p *config.PlanPractice, now time.Time) (open, shut time.Time) {
	now = now.UTC()
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	days := (int(p.Day) - int(now.Weekday()) + 7) % 7
	// The window of the day before may reach beyond midnight.
	for d := days - 7; ; d += 7 {
		open = midnight.AddDate(0, 0, d).Add(p.At)
		if shut = open.Add(p.Window); now.Before(shut) {
			return open, shut
		}
	}
}

// Practised tells whether a practice of the plan began by itself in the window.
func Practised(runs []*Run, plan string, open, shut time.Time) bool {
	for _, r := range runs {
		if r.Plan == plan && r.Auto && !r.StartedAt.Before(open) && r.StartedAt.Before(shut) {
			return true
		}
	}
	return false
}
