package medium

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestJoined reads files as one, with zeros between them, an empty one among them.
func TestJoined(t *testing.T) {
	all, want := &joined{}, []byte{}
	for _, text := range []string{"first", "", strings.Repeat("second", 2000), strings.Repeat("x", unit), "last"} {
		at := all.add(strings.NewReader(text), int64(len(text)))
		if at%unit != 0 {
			t.Errorf("a file is at byte %d", at)
		}
		want = append(append(want, make([]byte, int(at)-len(want))...), text...)
	}
	if err := iotest.TestReader(io.NewSectionReader(all.reader(), 0, all.size), want); err != nil {
		t.Error(err)
	}
	short := &joined{}
	short.add(strings.NewReader("cut"), 10)
	if n, err := short.reader().ReadAt(make([]byte, 10), 0); n != 3 || err == nil {
		t.Errorf("of a file that was cut off %d bytes were read, %v", n, err)
	}
	if n, err := all.reader().ReadAt(make([]byte, 8), all.size-4); n != 4 || err != io.EOF {
		t.Errorf("at the end %d bytes were read, %v", n, err)
	}
}
