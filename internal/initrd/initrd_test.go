package initrd

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/livebuild/livebuild/pkg/cpio"
)

type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	if end := int(offset) + len(p); end > len(m.b) {
		m.b = append(m.b, make([]byte, end-len(m.b))...)
	}
	return copy(m.b[offset:], p), nil
}

// TestFindStore finds a store behind what is no archive, with a stamp behind it, and not where there is none.
func TestFindStore(t *testing.T) {
	m := &memory{[]byte("\x1f\x8bcompressed")}
	c := Carrier(int64(len(m.b)))
	if _, err := m.WriteAt([]byte("hsqs, a store"), c.Offset()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(m, 13); err != nil {
		t.Fatal(err)
	}
	stamped := append(bytes.Clone(m.b), cpio.Archive([]cpio.Member{{Name: "a", Mode: cpio.ModeRegular}})...)
	for name, b := range map[string][]byte{
		"alone": m.b, "filled up": append(bytes.Clone(m.b), make([]byte, 512)...), "stamped": stamped,
	} {
		section, err := FindStore(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(section); err != nil || string(got) != "hsqs, a store" {
			t.Errorf("%s: the store is %q, %v", name, got, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "cut off": m.b[:len(m.b)-30], "another archive": cpio.Archive([]cpio.Member{{Name: Store, Mode: cpio.ModeRegular, Data: []byte("hsqs")}}),
	} {
		if _, err := FindStore(bytes.NewReader(b), int64(len(b))); !errors.Is(err, cpio.ErrNotCarried) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
