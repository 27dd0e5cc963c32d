package verify

import (
	"slices"
	"testing"
)

func TestOrder(t *testing.T) {
	jobs := []job{{offset: 30, size: 10}, {offset: 10, size: 5}, {offset: 10, size: 20}, {offset: 90, size: 100}, {offset: 0, size: 1}}
	for workers, want := range map[int][]int64{
		1: {0, 10, 10, 30, 90},
		2: {90, 0, 10, 10, 30}, // more than a quarter of all
	} {
		sorted := slices.Clone(jobs)
		order(sorted, 136, workers)
		var got []int64
		for _, j := range sorted {
			got = append(got, j.offset)
		}
		larger := slices.IndexFunc(sorted, func(j job) bool { return j.offset == 10 })
		if !slices.Equal(got, want) || sorted[larger].size != 20 {
			t.Errorf("%d workers: %v, want %v", workers, got, want)
		}
	}
}
