package branch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// instructions are branches by the assemblers' manuals: from an address to one that is forward, in
// bytes, from there.
var instructions = map[Machine]struct {
	align int
	put   func(p []byte, forward int)
}{
	// CALL rel32 counts from the end of the instruction.
	X86:     {1, func(p []byte, forward int) { p[0] = 0xe8; binary.LittleEndian.PutUint32(p[1:], uint32(forward-5)) }},
	PowerPC: {4, func(p []byte, forward int) { binary.BigEndian.PutUint32(p, 0x48000001|uint32(forward)&0x03fffffc) }},
	// Two instructions ahead, in words.
	ARM: {4, func(p []byte, forward int) {
		binary.LittleEndian.PutUint32(p, 0xeb000000|uint32(forward-8)>>2&0xffffff)
	}},
	// Four bytes ahead, in halfwords, the upper 11 bits first.
	ARMThumb: {2, func(p []byte, forward int) {
		half := uint32(forward-4) >> 1
		binary.LittleEndian.PutUint16(p, uint16(0xf000|half>>11&0x7ff))
		binary.LittleEndian.PutUint16(p[2:], uint16(0xf800|half&0x7ff))
	}},
	SPARC: {4, func(p []byte, forward int) { binary.BigEndian.PutUint32(p, 0x40000000|uint32(forward)>>2&0x3fffffff) }},
	ARM64: {4, func(p []byte, forward int) {
		binary.LittleEndian.PutUint32(p, 0x94000000|uint32(forward)>>2&0x03ffffff)
	}},
}

// program has a branch in each 32 bytes, to one of 8 functions, or, if it is not linked, each with the
// same distance, and in between bytes that no architecture here takes for a branch.
func program(m Machine, size int, linked bool) (p []byte, calls int) {
	const every, functions = 32, 8
	random := rand.New(rand.NewPCG(1, 2))
	in := instructions[m]
	p = bytes.Repeat([]byte{0x11}, size)
	for at := every; at+every <= size; at += every {
		from := at + random.IntN(every/2)/in.align*in.align
		forward := -4 * in.align
		if linked {
			forward = random.IntN(functions)*every - from
		}
		in.put(p[from:], forward)
		calls++
	}
	return p, calls
}

func TestSurplus(t *testing.T) {
	c := new(Counter)
	for m := range instructions {
		// Distances come again by chance.
		if p, calls := program(m, 1<<18, true); c.Surplus(m, p) < calls*3/4 {
			t.Errorf("machine %d: of %d branches to 8 places, %d show", m, calls, c.Surplus(m, p))
		}
		if p, calls := program(m, 1<<18, false); c.Surplus(m, p) != 1-calls {
			t.Errorf("machine %d: of %d branches of one distance, %d show, want none but the first", m, calls, c.Surplus(m, p))
		}
		for name, p := range map[string][]byte{
			"nothing":       nil,
			"a byte":        {0xe8},
			"text":          bytes.Repeat([]byte("call me maybe\n"), 4096),
			"zeros":         make([]byte, 1<<16),
			"half a branch": bytes.Repeat([]byte{0xe8}, 4),
		} {
			if got := c.Surplus(m, p); got > 0 {
				t.Errorf("machine %d: %s: %d", m, name, got)
			}
		}
	}
	if len(instructions) != int(machines) {
		t.Errorf("%d of %d architectures", len(instructions), machines)
	}
}

// TestSurplusBounds has branches at every place near the end.
func TestSurplusBounds(t *testing.T) {
	c := new(Counter)
	for m := range machines {
		for size := range 16 {
			for _, b := range []byte{0, 0x40, 0x48, 0x7f, 0x94, 0xe8, 0xeb, 0xf0, 0xff} {
				c.Surplus(m, bytes.Repeat([]byte{b}, size))
			}
		}
	}
}

func BenchmarkSurplus(b *testing.B) {
	c := new(Counter)
	for m := range machines {
		p, _ := program(m, 1<<20, true)
		b.Run(fmt.Sprint(m), func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				c.Surplus(m, p)
			}
		})
	}
}
