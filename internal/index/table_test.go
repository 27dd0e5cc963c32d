package index

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"

	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// FuzzTable reads a table with anything in it: what is taken lies in the image, one behind the other.
func FuzzTable(f *testing.F) {
	const size = 1 << 20
	extents := []hybridiso.Extent{{Offset: 0, Size: 100_000}, {Offset: 200_000, Size: 70_000}, {Offset: 900_000, Size: 5}}
	r := NewRecorder(nowhere{}, extents, 800_000)
	table, err := r.Table(Whole{Size: size, Extents: extents, Loose: []hybridiso.Extent{{Offset: 800_000, Size: 10}}}, func(w io.WriterAt) error {
		for _, e := range extents {
			if _, err := w.WriteAt(make([]byte, e.Size), e.Offset); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	whole := int(Size(extents, extents[:1]))
	if len(table) != whole {
		f.Fatalf("the table has %d bytes, not %d", len(table), whole)
	}
	f.Add(bytes.TrimRight(table, "\x00")[:headerSize+4*extentSize+5*sha256.Size])
	f.Fuzz(func(t *testing.T, table []byte) {
		sum := sha256.Sum256(table)
		table = append(table, sum[:]...)
		var record [sha256.Size]byte
		if len(table) >= headerSize {
			copy(record[:], table[headerSize-sha256.Size:])
		}
		x, err := readTable(io.NewSectionReader(bytes.NewReader(table), 0, int64(len(table))), 0, record)
		if err != nil || x.check(size) != nil {
			return
		}
		end := int64(0)
		for _, p := range x.Pieces {
			if p.Offset < end || p.Size <= 0 || p.End() > size {
				t.Fatalf("%d bytes at %d, behind %d", p.Size, p.Offset, end)
			}
			end = p.End()
		}
	})
}
