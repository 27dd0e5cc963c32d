package squashfs

import (
	"crypto/sha256"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Recorded is a part of an image of which the image records the SHA-256.
type Recorded struct {
	Name   string // "head", "group", "tables" or "record"
	Offset int64  // in the image, in bytes
	Size   int64
	Sum    [sha256.Size]byte // of the bytes when the image was written
}

// Recorded returns the parts of the image in their order, of which a record behind it, in a source
// of size bytes, has the sums: the superblock with the compressor's options, groups of files, the
// tables, and the record itself, which vouches for its own. What is between them is zero. The error
// is [ErrNoRecord] if there is no record, as in images that this package did not write.
func (r *Reader) Recorded(size int64) ([]Recorded, error) {
	rec, err := r.readRecord(size)
	if err != nil {
		return nil, err
	}
	parts := []Recorded{{"head", 0, int64(r.data.start), rec.Head}}
	for _, g := range rec.Groups {
		parts = append(parts, Recorded{"group", int64(g.Start), int64(g.Size), g.Sum})
	}
	encoded, err := rec.Encode()
	if err != nil {
		return nil, err
	}
	return append(parts,
		Recorded{"tables", int64(r.sb.InodeTable), int64(r.sb.BytesUsed - r.sb.InodeTable), rec.Tables},
		Recorded{"record", disk.AlignUp(int64(r.sb.BytesUsed)), int64(len(encoded)), sha256.Sum256(encoded)}), nil
}
