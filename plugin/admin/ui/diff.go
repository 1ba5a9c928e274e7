package ui

import "slices"

const (
	// contextLines is how many lines are shown around a difference.
	contextLines = 3
	// maxCompared bounds the work: the product of the numbers of lines that are compared. What is larger is shown as taken out and put in whole.
	maxCompared = 4 << 20
	// maxShown bounds the lines of a difference on a page.
	maxShown = 2000
)

// A diffLine is one line of a difference.
type diffLine struct {
	// Sign is " " for what both have, "-" for what the first has alone, "+" for what the second has, "…" for lines of both that are left out.
	Sign, Text string
	// Old and New are the line's numbers, counted from 1; 0 where it is not.
	Old, New int
}

// Class is the class of the line on a page.
func (l diffLine) Class() string {
	switch l.Sign {
	case "-":
		return "gone"
	case "+":
		return "new"
	}
	return "both"
}

// diffOf is what has to change in the lines of old to get those of new, with a few lines around each change. cut tells whether there is more.
func diffOf(old, new []string) (lines []diffLine, cut bool) {
	all := script(old, new)
	near := func(i int) bool {
		return slices.ContainsFunc(all[max(0, i-contextLines):min(len(all), i+contextLines+1)], func(l diffLine) bool { return l.Sign != " " })
	}
	for i := range all {
		switch {
		case near(i):
			lines = append(lines, all[i])
		case len(lines) > 0 && lines[len(lines)-1].Sign != "…":
			lines = append(lines, diffLine{Sign: "…"})
		}
		if len(lines) >= maxShown {
			return lines, true
		}
	}
	if n := len(lines); n > 0 && lines[n-1].Sign == "…" {
		lines = lines[:n-1]
	}
	return lines, false
}

// script is all lines of both, in an order in which the fewest are in one alone.
func script(old, new []string) (out []diffLine) {
	head := 0
	for head < len(old) && head < len(new) && old[head] == new[head] {
		out = append(out, diffLine{" ", old[head], head + 1, head + 1})
		head++
	}
	tail := 0
	for tail < len(old)-head && tail < len(new)-head && old[len(old)-1-tail] == new[len(new)-1-tail] {
		tail++
	}
	out = append(out, middle(old[head:len(old)-tail], new[head:len(new)-tail], head)...)
	for i := tail; i > 0; i-- {
		out = append(out, diffLine{" ", old[len(old)-i], len(old) - i + 1, len(new) - i + 1})
	}
	return out
}

// middle is script by the longest common subsequence; head is how many lines stand before.
func middle(old, new []string, head int) (out []diffLine) {
	i, k := 0, 0
	if len(old)*len(new) <= maxCompared {
		// common[i][k] is how many lines the rests from i and from k on have in common.
		width := len(new) + 1
		common := make([]int32, (len(old)+1)*width)
		for i := len(old) - 1; i >= 0; i-- {
			for k := len(new) - 1; k >= 0; k-- {
				if old[i] == new[k] {
					common[i*width+k] = common[(i+1)*width+k+1] + 1
				} else {
					common[i*width+k] = max(common[(i+1)*width+k], common[i*width+k+1])
				}
			}
		}
		for i < len(old) && k < len(new) {
			switch {
			case old[i] == new[k]:
				out = append(out, diffLine{" ", old[i], head + i + 1, head + k + 1})
				i, k = i+1, k+1
			case common[(i+1)*width+k] >= common[i*width+k+1]:
				out = append(out, diffLine{"-", old[i], head + i + 1, 0})
				i++
			default:
				out = append(out, diffLine{"+", new[k], 0, head + k + 1})
				k++
			}
		}
	}
	for ; i < len(old); i++ {
		out = append(out, diffLine{"-", old[i], head + i + 1, 0})
	}
	for ; k < len(new); k++ {
		out = append(out, diffLine{"+", new[k], 0, head + k + 1})
	}
	return out
}
