package codec

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/branch"
)

// machineCode is a program with a call of one of a hundred functions in every fifth word, or, if it is
// not linked, calls without targets yet, as in objects and kernel modules.
func machineCode(filter Filters, size int, linked bool) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(0x10 + random.ExpFloat64()*4) // no opcode of a branch
	}
	for at := 0; at+20 <= size; at += 20 {
		from := at + 4*random.IntN(3)
		distance := 0
		if linked {
			distance = 1000*random.IntN(100) - from
		}
		q := p[from:]
		switch filter {
		case X86:
			q[0] = 0xe8
			binary.LittleEndian.PutUint32(q[1:], uint32(distance-5))
		case PowerPC:
			binary.BigEndian.PutUint32(q, 0x48000001|uint32(distance)&0x03fffffc)
		case ARM:
			binary.LittleEndian.PutUint32(q, 0xeb000000|uint32(distance-8)>>2&0xffffff)
		case ARMThumb:
			half := uint32(distance-4) >> 1
			binary.LittleEndian.PutUint16(q, uint16(0xf000|half>>11&0x7ff))
			binary.LittleEndian.PutUint16(q[2:], uint16(0xf800|half&0x7ff))
		case SPARC:
			binary.BigEndian.PutUint32(q, 0x40000000|uint32(distance)>>2&0x3fffffff)
		case ARM64:
			binary.LittleEndian.PutUint32(q, 0x94000000|uint32(distance)>>2&0x03ffffff)
		}
	}
	return p
}

func TestFilterFor(t *testing.T) {
	c := new(branch.Counter)
	const unclear = IA64 | RISCV
	text := testData("text", 1<<20)
	for _, known := range countable {
		f := known.filter
		for _, set := range []Filters{f, allFilters} {
			if got, rest := filterFor(c, set, machineCode(f, 1<<20, true)); got != f || rest != set&unclear {
				t.Errorf("code for %s, of filters %s: %s, unclear %s", f, set, got, rest)
			}
			if got, rest := filterFor(c, set, machineCode(f, 1<<20, false)); got == f || rest != set&unclear {
				t.Errorf("code for %s that is not linked, of filters %s: %s, unclear %s", f, set, got, rest)
			}
			if got, _ := filterFor(c, set, text); got != 0 {
				t.Errorf("text, of filters %s: %s", set, got)
			}
		}
		if got, _ := filterFor(c, allFilters&^f&^unclear, machineCode(f, 1<<20, true)); got != 0 {
			t.Errorf("code for %s, without its filter: %s", f, got)
		}
	}
	if got, rest := filterFor(c, 0, machineCode(X86, 1<<20, true)); got != 0 || rest != 0 {
		t.Errorf("without filters: %s, unclear %s", got, rest)
	}
}
