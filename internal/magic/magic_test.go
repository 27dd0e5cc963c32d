package magic

import (
	"io"
	"strings"
	"testing"
)

// FuzzRead gives what may be on a disk to be recognised.
func FuzzRead(f *testing.F) {
	f.Add([]byte("LABELONE"), int64(0), int64(1<<20))
	f.Add([]byte(mdMagic), int64(4096), int64(65536))
	f.Add([]byte("CD001"), int64(32769), int64(32770))
	f.Add([]byte("\x0c\xb1\xba\x00\x00\x00\x00\x00"), int64(zfsUberblocks), int64(1<<20))
	f.Fuzz(func(t *testing.T, data []byte, at, size int64) {
		if size < 0 || at < 0 || at > 1<<40 || size > 1<<40 {
			return
		}
		c := Read(placed{data, at}, size)
		if strings.ContainsFunc(c.Label, func(r rune) bool { return r < ' ' }) {
			t.Errorf("the label %q has control characters", c.Label)
		}
	})
}

// placed is some bytes with zeros around.
type placed struct {
	data []byte
	at   int64
}

func (p placed) ReadAt(b []byte, offset int64) (int, error) {
	clear(b)
	for i := range b {
		if at := offset + int64(i) - p.at; at >= 0 && at < int64(len(p.data)) {
			b[i] = p.data[at]
		}
	}
	return len(b), nil
}

var _ io.ReaderAt = placed{}
