package nixos

import (
	"cmp"
	"slices"
	"strings"
)

// nearest returns names sorted by their likeness to name, alphabetically among
// equals. Case does not count.
func nearest(name string, names []string) []string {
	sorted := slices.Clone(names)
	distances := make(map[string]int, len(names))
	for _, n := range names {
		distances[n] = distance(strings.ToLower(name), strings.ToLower(n))
	}
	slices.SortFunc(sorted, func(a, b string) int {
		return cmp.Or(cmp.Compare(distances[a], distances[b]), strings.Compare(a, b))
	})
	return sorted
}

// isNear reports whether who wrote name may have meant the other: a third of it is
// mistyped at most, or one is the beginning of the other.
func isNear(name, other string) bool {
	name, other = strings.ToLower(name), strings.ToLower(other)
	const least = 3 // letters that a beginning needs to tell anything
	if len(name) >= least && strings.HasPrefix(other, name) || len(other) >= least && strings.HasPrefix(name, other) {
		return true
	}
	return 3*distance(name, other) <= max(len(name), len(other))
}

// distance is the Levenshtein distance of a and b: the least number of bytes to
// insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // distances of a[:i] to every b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
