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
		chosen, err := c.propertiesOf(src)
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

// TestXZFilters has liblzma judge which filter is chosen: what comes out is not longer than without
// it, nor than with it, but for the thousandth that a few bytes of another kind can make.
func TestXZFilters(t *testing.T) {
	dst := make([]byte, DefaultBlockSize)
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for bit, name := range filterNames {
		f := Filters(1 << bit)
		if checkFilters(f) != nil {
			t.Logf("this liblzma has no filter for %s", name)
			continue
		}
		c := newXZCompressor(mustNew(t, Settings{Name: XZ, BCJ: f}, DefaultBlockSize).Settings())
		const size = 128 << 10
		for kind, src := range map[string][]byte{
			"linked":       machineCode(f, size, true),
			"not linked":   machineCode(f, size, false),
			"text":         testData("text", size),
			"this program": program[len(program)/4:][:size],
		} {
			chosen, err := c.compress(dst, src)
			if err != nil {
				t.Fatal(err)
			}
			properties, err := c.propertiesOf(src)
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range []Filters{0, f} {
				n, err := c.stream.encode(dst, src, c.filtered(other, len(src), properties))
				if err != nil {
					t.Fatal(err)
				}
				if chosen > n+n/1000 {
					t.Errorf("%s, %s: %d bytes, %d with filter %q", name, kind, chosen, n, other)
				}
			}
		}
	}
}
