package terminal

import (
	"fmt"
	"strconv"
	"time"
)

// Percent is a fraction for people: "28%", "33.3%", and never "0%" for something that is answered at all.
func Percent(fraction float64) string {
	p := fraction * 100
	if p > 0 && p < 0.05 {
		return "<0.1%"
	}
	return strconv.FormatFloat(float64(int64(p*10+0.5))/10, 'f', -1, 64) + "%"
}

// Age is a duration for people, with two units at most.
func Age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// UpTo is an upper limit for people: rounded up to a tenth of a second.
func UpTo(d time.Duration) string {
	const tenth = time.Second / 10
	return ((d + tenth - 1) / tenth * tenth).String()
}

// Clock is a moment in UTC, with the day only where that is not the day of now.
func Clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04:05Z")
	}
	return t.Format("2006-01-02 15:04Z")
}

// Since is a moment and how long ago that was.
func Since(t, now time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%s (%s)", Clock(t, now), Age(now.Sub(t)))
}

// Seconds is a number of seconds from the API as a duration, for people.
func Seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

// Latency rounds to what a person compares.
func Latency(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// Count is "1 endpoint", "2 endpoints".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
