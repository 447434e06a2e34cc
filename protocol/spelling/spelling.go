// Package spelling finds the name that a mistyped word stands for. In go the word and the names that exist; out comes
// the nearest of them, for the end of an error message.
package spelling

import (
	"slices"
	"strings"
)

const (
	// maxWord is the longest word that is compared, in runes. What is longer is no slip of the fingers, and comparing
	// takes the product of two lengths.
	maxWord = 64
	// maxNear is how many names are worth reading.
	maxNear = 3
)

// Nearest returns the names that a word may be a slip of: all that are equally near, in their order, and at most three.
// Case makes no difference. A word of up to three runes may have one slip, one of up to seven two, a longer one three;
// a word of four runes or more also means the names that begin with it. It returns nil for a word that is empty or
// longer than 64 runes.
func Nearest(word string, names []string) []string {
	typed := []rune(strings.ToLower(word))
	if len(typed) == 0 || len(typed) > maxWord {
		return nil
	}
	allowed := slips(len(typed))
	type near struct {
		name     string
		distance int
	}
	var found []near
	for _, name := range names {
		meant := []rune(strings.ToLower(name))
		if len(meant) == 0 || len(meant) > maxWord {
			continue
		}
		d := distance(typed, meant)
		switch {
		case d <= allowed && d < max(len(typed), len(meant)):
			found = append(found, near{name, d})
		case len(typed) >= 4 && strings.HasPrefix(string(meant), string(typed)):
			found = append(found, near{name, allowed})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.distance - b.distance })
	var out []string
	for _, n := range found {
		if n.distance > found[0].distance || len(out) == maxNear {
			break
		}
		if !slices.Contains(out, n.name) {
			out = append(out, n.name)
		}
	}
	return out
}

// DidYouMean returns "did you mean hello?", or "" when no name is near. Each name has the prefix before it, such as
// "polyvoke " or "--".
func DidYouMean(word, prefix string, names []string) string {
	near := Nearest(word, names)
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + prefix + strings.Join(near, " or "+prefix) + "?"
}

// slips returns how many slips a word of n runes may have.
func slips(n int) int {
	switch {
	case n <= 3:
		return 1
	case n <= 7:
		return 2
	}
	return 3
}

// distance returns how many runes must be inserted, deleted, replaced or swapped with their neighbour to make b of a:
// the optimal string alignment distance (Damerau 1964; Boytsov, "Indexing methods for approximate dictionary
// searching", 2011).
func distance(a, b []rune) int {
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
