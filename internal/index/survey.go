package index

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// Survey is the index of an image, or what is found out instead of it where there is none: the
// groups that a record behind the squashfs tells of, and all other files by reading them. It is for
// taking pieces from, so that they may overlap, and what an image claims need not be so. The error is
// one of the context, or says that there is nothing to take.
func Survey(ctx context.Context, r io.ReaderAt, size int64) (*Index, error) {
	if x, err := Read(r, size); err == nil {
		return x, nil
	}
	x := &Index{Size: size}
	section, recorded, err := readStore(r, size)
	if err == nil {
		_, start, _ := section.Outer()
		for _, part := range recorded {
			x.Pieces = append(x.Pieces, Piece{Offset: start + part.Offset, Size: part.Size, Sum: part.Sum})
		}
	}
	files, filesErr := outside(ctx, r, size)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if x.Pieces = append(x.Pieces, files...); len(x.Pieces) == 0 {
		return nil, errors.Join(ErrNone, err, filesErr)
	}
	slices.SortFunc(x.Pieces, func(a, b Piece) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	return x, nil
}

// outside reads the files of the volume but that of the store.
func outside(ctx context.Context, r io.ReaderAt, size int64) ([]Piece, error) {
	entries, err := hybridiso.ReadTree(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	var pieces []Piece
	left := size // that are read: files may lie in each other
	buffer := make([]byte, minPieceSize)
	for _, e := range entries {
		if e.Path == medium.StoreImage || !e.Mode.IsRegular() {
			continue
		}
		for _, extent := range e.Extents {
			if extent.Offset < 0 || extent.Size < 0 || extent.Size > size-extent.Offset || extent.Size > left {
				continue
			}
			left -= extent.Size
			for _, p := range cut(extent.Offset, extent.Size, minPieceSize) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				if err := readFull(r, buffer[:p.Size], p.Offset); err != nil {
					continue // what cannot be read is not taken
				}
				p.Sum = sha256.Sum256(buffer[:p.Size])
				pieces = append(pieces, p)
			}
		}
	}
	return pieces, nil
}

// Holds says whether a reader has a piece.
func Holds(ctx context.Context, r io.ReaderAt, p Piece) bool {
	h := sha256.New()
	section := progress.NewReader(ctx, io.NewSectionReader(r, p.Offset, p.Size), nil)
	n, err := io.CopyBuffer(h, struct{ io.Reader }{section}, make([]byte, min(p.Size, 1<<20)))
	return err == nil && n == p.Size && [sha256.Size]byte(h.Sum(nil)) == p.Sum
}
