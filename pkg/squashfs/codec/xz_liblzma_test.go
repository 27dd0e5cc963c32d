//go:build cgo

package codec

import (
	"os"
	"path/filepath"
	"testing"
)

// TestXZProperties holds blocks with their properties against the usual ones. Those of words must be
// chosen where they are better.
func TestXZProperties(t *testing.T) {
	c := newXZCompressor(mustNew(t, Settings{Name: XZ}, DefaultBlockSize).Settings())
	dst := make([]byte, DefaultBlockSize)
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, name := range sources {
		p, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, p...)
	}
	for name, src := range map[string][]byte{
		"text":  text[:min(len(text), DefaultBlockSize)],
		"words": wordTable(DefaultBlockSize),
	} {
		chosen, err := c.propertiesOf(src, few)
		if err != nil {
			t.Fatal(err)
		}
		size, err := c.compress(dst, src)
		if err != nil {
			t.Fatal(err)
		}
		usual, err := c.stream.encode(dst, src, c.way(len(src), xzUsual))
		if err != nil {
			t.Fatal(err)
		}
		if size >= usual {
			t.Errorf("%s: %d bytes with %v, %d with the usual properties", name, size, chosen, usual)
		}
		if name == "words" && chosen != xzWords {
			t.Errorf("words have the properties %v", chosen)
		}
	}
}
