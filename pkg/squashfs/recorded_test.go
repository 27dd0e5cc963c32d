package squashfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"testing"
)

// inMemory is a file in memory.
type inMemory struct{ bytes.Buffer }

func (m *inMemory) WriteAt(p []byte, offset int64) (int, error) {
	if end := int(offset) + len(p); end > m.Len() {
		m.Write(make([]byte, end-m.Len()))
	}
	return copy(m.Bytes()[offset:], p), nil
}

// TestRecorded checks that every byte of an image is in a part that has its sum, or is zero.
func TestRecorded(t *testing.T) {
	entries := []Entry{{Name: "a", Data: bytes.Repeat([]byte("text "), 9000)}, {Name: "b", Data: []byte("small")}}
	tree, err := Scan(context.Background(), entries, func(fs.FileMode) fs.FileMode { return 0o444 }, nil)
	mustDo(t, err)
	var image inMemory
	_, err = tree.Write(context.Background(), &image, Options{})
	mustDo(t, err)
	data := image.Bytes()
	parts, err := openBytes(t, data).Recorded(int64(len(data)))
	mustDo(t, err)
	covered := make([]bool, len(data))
	for _, part := range parts {
		if got := sha256.Sum256(data[part.Offset:][:part.Size]); got != part.Sum {
			t.Errorf("the sum of %s at %d is not that of its bytes", part.Name, part.Offset)
		}
		for i := range part.Size {
			covered[part.Offset+i] = true
		}
	}
	for i, b := range data {
		if !covered[i] && b != 0 {
			t.Fatalf("byte %d, %#02x, is in no part", i, b)
		}
	}

	// Structures do not tell that contents are damaged.
	v := openBytes(t, data)
	ino, err := v.Lookup("a")
	mustDo(t, err)
	blocks, err := v.Blocks(ino)
	mustDo(t, err)
	at := append(blocks.Data, blocks.Fragment)[0].Offset
	data[at] ^= 0xff
	err = openBytes(t, data).StructureFindings(context.Background(), func(f Finding) error { return f })
	if err != nil {
		t.Errorf("StructureFindings: %v", err)
	}
	if err := openBytes(t, data).Check(context.Background()); err == nil {
		t.Error("Check does not find the damaged block")
	}
	data[at] ^= 0xff

	foreign := newVictim(t)
	if _, err := foreign.Recorded(int64(len(foreign.image))); !errors.Is(err, ErrNoRecord) {
		t.Errorf("Recorded of another maker's image: %v", err)
	}
	change(foreign, foreign.body("sub/c"), func(c *byte) { *c ^= 0xff })
	if err := openBytes(t, foreign.image).StructureFindings(context.Background(), func(f Finding) error { return f }); err == nil {
		t.Error("StructureFindings does not find a damaged inode")
	}
}
