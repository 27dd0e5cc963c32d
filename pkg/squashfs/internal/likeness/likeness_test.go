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
		order := sorter.Order(sizes, sketches, 0, reach, 1<<20)
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
		if again := new(Sorter).Order(sizes, sketches, 0, reach, 1<<20); !slices.Equal(again, order) {
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
	if got := sorter.Order(sizes, sketches, 0, 4096, 4096); !slices.Equal(got, want) {
		t.Errorf("order %v", got)
	}
	if got := sorter.Order(nil, nil, 0, 4096, 4096); len(got) != 0 {
		t.Errorf("order of nothing: %v", got)
	}
}

func BenchmarkSketch(b *testing.B) {
	p := bytes.Repeat([]byte(fmt.Sprint("some text ", 12345)), 4000)[:64<<10]
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		NewSketch(p)
	}
}

// Of two files like the first one the neighbour comes next, unless the other is much more like it
// and large enough to be worth it.
func TestOrderPrefersNeighbours(t *testing.T) {
	const blockSize = 1 << 20
	for _, test := range []struct {
		size             int // of each
		neighbour, other int // how many hundredths of them are the first file's
		reach            int
		want             int // which of them comes next
	}{
		{size: 60 << 10, neighbour: 50, other: 80, reach: blockSize, want: 1},
		{size: 60 << 10, neighbour: 10, other: 80, reach: blockSize, want: 3},
		{size: 2 << 10, neighbour: 20, other: 80, reach: blockSize, want: 1},
		{size: 6 << 10, neighbour: 50, other: 80, reach: 32 << 10, want: 1},
		{size: 12 << 10, neighbour: 10, other: 80, reach: 32 << 10, want: 3},
	} {
		first := noise(rand.New(rand.NewPCG(7, 7)), test.size)
		like := func(part int, seed uint64) []byte {
			own := test.size * (100 - part) / 100
			return append(noise(rand.New(rand.NewPCG(seed, 7)), own), first[own:]...)
		}
		var sizes []int
		var sketches []Sketch
		for _, p := range [][]byte{first, like(test.neighbour, 1), like(0, 2), like(test.other, 3)} {
			sizes, sketches = append(sizes, len(p)), append(sketches, NewSketch(p))
		}
		order := new(Sorter).Order(sizes, sketches, 0, test.reach, blockSize)
		if order[0] != 0 || order[1] != test.want {
			t.Errorf("%+v: order %v", test, order)
		}
	}
}
