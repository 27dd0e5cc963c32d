package likeness

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func noise(random *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(random.Uint32())
	}
	return p
}

// Files of three families come family by family, whatever their order was, and each
// of them once.
func TestOrderBringsTheLikeTogether(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	const families, members, size = 3, 20, 6000
	var sizes []int
	var sketches []Sketch
	for i := range families * members {
		family := rand.New(rand.NewPCG(uint64(i%families), 1))
		p := append(noise(family, size), noise(random, 600)...)
		sizes, sketches = append(sizes, len(p)), append(sketches, NewSketch(p))
	}
	var sorter Sorter
	for _, reach := range []int{32 << 10, 1 << 20} {
		order := sorter.Order(sizes, sketches, reach, 1<<20)
		changes := 0
		for i := range order[1:] {
			if order[i]%families != order[i+1]%families {
				changes++
			}
		}
		if reach == 1<<20 && changes != families-1 {
			t.Errorf("reach %d: %d changes of family in %v", reach, changes, order)
		}
		all := slices.Sorted(slices.Values(order))
		for i, file := range all {
			if i != file {
				t.Fatalf("reach %d: not every file once: %v", reach, order)
			}
		}
		// Tables that were used do not change the outcome.
		if again := new(Sorter).Order(sizes, sketches, reach, 1<<20); !slices.Equal(again, order) {
			t.Errorf("reach %d: %v with new tables, %v with old ones", reach, again, order)
		}
	}
}

// What shares nothing stays in its order, and so does nothing at all.
func TestOrderOfUnlikeFiles(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	var sizes, want []int
	var sketches []Sketch
	for i := range 50 {
		p := noise(random, i*10)
		sizes, sketches, want = append(sizes, len(p)), append(sketches, NewSketch(p)), append(want, i)
	}
	var sorter Sorter
	if got := sorter.Order(sizes, sketches, 4096, 4096); !slices.Equal(got, want) {
		t.Errorf("order %v", got)
	}
	if got := sorter.Order(nil, nil, 4096, 4096); len(got) != 0 {
		t.Errorf("order of nothing: %v", got)
	}
}

func TestKinds(t *testing.T) {
	files := []string{"lib/libz.so.1.2", "b/COPYING", "libz.so", "a/COPYING", "x.h", "liby.so.12"}
	slices.SortStableFunc(files, func(a, b string) int { return KindOf(a).Compare(KindOf(b)) })
	want := []string{"b/COPYING", "a/COPYING", "x.h", "liby.so.12", "libz.so", "lib/libz.so.1.2"}
	if !slices.Equal(files, want) {
		t.Errorf("order %q, want %q", files, want)
	}
}

func BenchmarkSketch(b *testing.B) {
	p := bytes.Repeat([]byte(fmt.Sprint("some text ", 12345)), 4000)[:64<<10]
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		NewSketch(p)
	}
}
