package codec

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/branch"
)

// wordTable is a table of words of which the low bytes vary.
func wordTable(size int) (p []byte) {
	random := rand.New(rand.NewPCG(1, 2))
	at := uint32(0)
	for len(p) < size {
		at += random.Uint32N(5000)
		p = binary.LittleEndian.AppendUint32(p, at)
		p = binary.LittleEndian.AppendUint32(p, random.Uint32N(300))
	}
	return p[:size]
}

func TestPropertiesOf(t *testing.T) {
	for name, c := range map[string]struct {
		block []byte
		want  xzProperties
		words bool
	}{
		"text":         {testData("text", 1<<20), xzText, false},
		"short text":   {testData("text", 64<<10), xzShortText, false},
		"code":         {machineCode(X86, 1<<20, true), xzCode, false},
		"aligned code": {machineCode(ARM64, 1<<20, true), xzAlignedCode, false},
		"words":        {wordTable(1 << 20), xzUsual, true},
		"zeros":        {make([]byte, 1<<20), xzUsual, false},
		"three bytes":  {[]byte("abc"), xzUsual, false},
		"not even one": {nil, xzUsual, false},
	} {
		if got, words := propertiesOf(new(branch.Counter), c.block); got != c.want || words != c.words {
			t.Errorf("%s: %v, words %v; want %v, %v", name, got, words, c.want, c.words)
		}
	}
	for _, p := range []xzProperties{xzUsual, xzText, xzShortText, xzCode, xzAlignedCode, xzWords, xzTable} {
		if p.lc+p.lp > 4 {
			t.Errorf("%v cannot be read", p) // LZMA_LCLP_MAX
		}
	}
}

func TestTrialOf(t *testing.T) {
	for _, size := range []int{trialMin, trialMin + 1, 1 << 20} {
		if n := len(trialOf(nil, make([]byte, size))); n != trialPieces*trialPiece {
			t.Errorf("%d bytes of a block of %d are tried", n, size)
		}
	}
}
