package project

import "strings"

// synonyms are what other tools call keys.
var synonyms = map[string]string{"environment": "env", "handler": "module", "lang": "language", "mem": "memory",
	"src": "source", "main": "source"}

// meant returns a question about the word that was probably meant, or "" if none is near.
func meant(word string, all []string) string {
	best, distance := "", max(1, min(len(word), 40)/3)+1
	for _, w := range all {
		if synonyms[strings.ToLower(word)] == w {
			return "did you mean " + w + "?"
		}
		if d := edits(strings.ToLower(word), strings.ToLower(w)); d < distance {
			best, distance = w, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// edits returns how many letters must be added, taken away, replaced, or swapped with the next one, to make b of a: the
// distance of Damerau and Levenshtein, of parts that are not changed twice. What is much longer than b is far away.
func edits(a, b string) int {
	if len(a) > 2*len(b)+2 {
		return len(a)
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
