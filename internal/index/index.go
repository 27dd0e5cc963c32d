// Package index is the list of pieces that an image is made of: the place, the size and the
// SHA-256 of each. What two images have in common follows from two such lists; so does what has
// to be downloaded to have one of them.
//
// An image of livebuild carries its index: of the store in the record behind the squashfs
// ([squashfs.Reader.Recorded]), of all else in a table behind that, in the same file. Other
// readers see bytes behind the end of a squashfs, which they ignore.
package index

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Piece is a part of an image.
type Piece struct {
	Offset, Size int64             // in bytes
	Sum          [sha256.Size]byte // SHA-256
	Loose        bool              // the sum is not known
}

// End is the first byte behind the piece.
func (p Piece) End() int64 { return p.Offset + p.Size }

// Index is what an image is made of.
type Index struct {
	Size   int64   // of the image, in bytes
	Pieces []Piece // in order; the image is zero between them
	Sum    [sha256.Size]byte
	At     Piece // the table itself
	Store  Piece // where the store image lies; its sum is not known

	kept []keptSum // in the order of the table
}

// keptSum is where the table has the sum of a piece, in the image.
type keptSum struct {
	piece Piece
	at    int64
}

// ErrNone says that an image has no index: it is another maker's, or of an older livebuild.
var ErrNone = errors.New("no index of what the image is made of")

// header begins the table. Behind it come extents, the sums of the pieces of each, and the SHA-256
// of all that. An extent is divided into pieces of PieceSize, the last of which may be smaller. The last
// Loose extents have no sums: what is there follows from the file of the store, table included.
type header struct {
	Magic     [8]byte
	Version   uint32 // of the form
	PieceSize uint32 // bytes
	ImageSize uint64 // bytes
	Extents   uint32
	Sums      uint32
	Loose     uint32
	_         uint32
	Record    [sha256.Size]byte // squashfs.Summary.Sum, by which the table vouches for the store, too
}

// extent is a place outside of the store.
type extent struct{ Offset, Size uint64 }

// magic begins a table.
var magic = [8]byte{'L', 'A', 'I', 'D', 'O', 'U', 'T', 'S'}

const (
	version = 1

	// minPieceSize keeps changes small: the EFI system partition has menus among its loaders,
	// which change with every image.
	minPieceSize = 64 << 10
	maxPieceSize = 1 << 30

	// maxSums bounds the table: files of 16 GiB outside of the store have pieces of minPieceSize.
	maxSums = 1 << 18

	// alignment is that of what lies in the file of the store, as squashfs pads it.
	alignment = 4096
)

var (
	headerSize = binary.Size(header{})
	extentSize = binary.Size(extent{})
)

func alignUp(n int64) int64 { return (n + alignment - 1) / alignment * alignment }

// pieceSizeFor is how large pieces are so that there are not too many.
func pieceSizeFor(bytes int64, extents int) int64 {
	size := int64(minPieceSize)
	for bytes/size+int64(extents) > maxSums && size < maxPieceSize {
		size *= 2
	}
	return size
}

// cut divides an extent into pieces without sums.
func cut(offset, size, pieceSize int64) []Piece {
	var pieces []Piece
	for at := int64(0); at < size; at += pieceSize {
		pieces = append(pieces, Piece{Offset: offset + at, Size: min(pieceSize, size-at)})
	}
	return pieces
}

// Read reads the index of an image of at most size bytes; a disk may be larger than the image on
// it. The error is ErrNone if there is no index.
func Read(r io.ReaderAt, size int64) (*Index, error) {
	src := &source{ReaderAt: r}
	x, err := read(src, size)
	if err != nil && src.err != nil {
		err = src.err
	}
	return x, err
}

func read(r io.ReaderAt, size int64) (*Index, error) {
	section, recorded, err := readStore(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNone, err)
	}
	_, start, _ := section.Outer()
	record := recorded[len(recorded)-1]
	var sum [sha256.Size]byte // of the record, which ends with it
	if err := readFull(section, sum[:], record.Offset+record.Size-sha256.Size); err != nil {
		return nil, err
	}
	x, err := readTable(section, alignUp(record.Offset+record.Size), sum)
	if err != nil {
		return nil, err
	}
	x.At.Offset += start
	for i := range x.kept {
		x.kept[i].at += start
	}
	x.Store = Piece{Offset: start, Size: section.Size()}
	for _, part := range recorded {
		x.Pieces = append(x.Pieces, Piece{Offset: start + part.Offset, Size: part.Size, Sum: part.Sum})
	}
	x.Pieces = append(x.Pieces, x.At)
	return x, x.check(size)
}

// readStore finds the store image and reads its record.
func readStore(r io.ReaderAt, size int64) (*io.SectionReader, []squashfs.Recorded, error) {
	section, err := medium.FindStore(r, size)
	if err != nil {
		return nil, nil, err
	}
	reader, err := squashfs.Open(section, section.Size())
	if err != nil {
		return nil, nil, err
	}
	recorded, err := reader.Recorded(section.Size())
	if err != nil {
		return nil, nil, err
	}
	return section, recorded, nil
}

// source is what an image is read from. It keeps the error of reading: a wire that is cut says
// nothing about the image.
type source struct {
	io.ReaderAt
	err error
}

func (s *source) ReadAt(p []byte, offset int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, offset)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func readFull(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// readTable reads the table at an offset of the store image.
func readTable(r *io.SectionReader, offset int64, record [sha256.Size]byte) (*Index, error) {
	head := make([]byte, headerSize)
	if err := readFull(r, head, offset); err != nil {
		return nil, ErrNone // the file of the store ends here
	}
	var h header
	if _, err := binary.Decode(head, binary.LittleEndian, &h); err != nil {
		return nil, err
	}
	switch {
	case h.Magic != magic:
		return nil, ErrNone
	case h.Version != version:
		return nil, fmt.Errorf("%w (its index is of version %d)", ErrNone, h.Version)
	case h.Extents > maxSums || h.Loose > h.Extents || h.Sums > maxSums || h.PieceSize < minPieceSize || h.PieceSize > maxPieceSize || h.ImageSize > 1<<62:
		return nil, fmt.Errorf("index of %d extents and %d pieces of %d bytes", h.Extents, h.Sums, h.PieceSize)
	case h.Record != record:
		return nil, errors.New("index and record are of different images")
	}
	var rest bytes.Buffer // grows with what is there, not with what the header claims
	length := int64(h.Extents)*int64(extentSize) + int64(h.Sums)*sha256.Size + sha256.Size
	if n, err := io.CopyN(&rest, io.NewSectionReader(r, offset+int64(headerSize), length), length); err != nil {
		return nil, fmt.Errorf("index is cut off after %d of %d bytes: %w", n, length, err)
	}
	body := append(head, rest.Bytes()...)
	x := &Index{Size: int64(h.ImageSize), Sum: sha256.Sum256(body[:len(body)-sha256.Size])}
	if !bytes.HasSuffix(body, x.Sum[:]) {
		return nil, errors.New("index is damaged")
	}
	x.At = Piece{Offset: offset, Size: int64(len(body)), Sum: sha256.Sum256(body)}
	extents := make([]extent, h.Extents)
	if _, err := binary.Decode(rest.Next(len(extents)*extentSize), binary.LittleEndian, extents); err != nil {
		return nil, err
	}
	for i, e := range extents {
		if e.Size > h.ImageSize || e.Offset > h.ImageSize-e.Size || e.Size/uint64(h.PieceSize) > maxSums {
			return nil, fmt.Errorf("index: %d bytes at %d of an image of %d", e.Size, e.Offset, h.ImageSize)
		}
		if i >= len(extents)-int(h.Loose) {
			x.Pieces = append(x.Pieces, Piece{Offset: int64(e.Offset), Size: int64(e.Size), Loose: true})
			continue
		}
		for _, p := range cut(int64(e.Offset), int64(e.Size), int64(h.PieceSize)) {
			if rest.Len() < 2*sha256.Size {
				return nil, errors.New("index has fewer sums than pieces")
			}
			x.kept = append(x.kept, keptSum{p, x.At.End() - int64(rest.Len())})
			p.Sum = [sha256.Size]byte(rest.Next(sha256.Size))
			x.Pieces = append(x.Pieces, p)
		}
	}
	if rest.Len() != sha256.Size {
		return nil, errors.New("index has more sums than pieces")
	}
	return x, nil
}

// SumsOf returns where the table has the sums of what lies in that place, and its own: what differs in it if that does.
// The table is the last to have sums of anything in the image.
func (x *Index) SumsOf(place Piece) []Piece {
	var all []Piece
	for _, k := range x.kept {
		if k.piece.Offset < place.End() && place.Offset < k.piece.End() {
			all = append(all, Piece{Offset: k.at, Size: sha256.Size})
		}
	}
	return append(all, Piece{Offset: x.At.End() - sha256.Size, Size: sha256.Size})
}

// check sorts the pieces and holds them against the image: they lie in it, one behind the other.
func (x *Index) check(size int64) error {
	if x.Size > size {
		return fmt.Errorf("index of an image of %d bytes, there are %d", x.Size, size)
	}
	slices.SortFunc(x.Pieces, func(a, b Piece) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	at := int64(0)
	for _, p := range x.Pieces {
		if p.Size <= 0 || p.Offset < at || p.Offset > x.Size || p.Size > x.Size-p.Offset {
			return fmt.Errorf("index: %d bytes at %d, there is room from %d to %d", p.Size, p.Offset, at, x.Size)
		}
		at = p.End()
	}
	return nil
}
