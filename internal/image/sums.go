package image

import (
	"context"
	"crypto/sha512"
	"fmt"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// sums is the list by which the medium is checked before it starts anything. That of
// the store image is known last: its superblock is written when all else is, so that the
// sum can only be made of what was written. The list lies behind it, and has the same
// length whatever the sum.
func (m Medium) sums(ctx context.Context, files []boot.File, built *storefs.FS) (hybridiso.File, error) {
	var list []byte
	for _, f := range files {
		if f.Dir || f.Link != "" || !m.Tree.Checked(f.Path) {
			continue
		}
		sum, err := sumOfFile(ctx, f, built)
		if err != nil {
			return hybridiso.File{}, err
		}
		list = sum.AppendTo(list)
	}
	store := medium.Sum{Path: medium.StoreImage}
	return hybridiso.File{
		Path: medium.Sums,
		Size: int64(len(list)) + store.Size(),
		Late: func(ctx context.Context, stream io.Reader) ([]byte, error) {
			var err error
			if store.SHA512, err = sumOf(ctx, stream); err != nil {
				return nil, fmt.Errorf("reading the store image back: %w", err)
			}
			return store.AppendTo(slices.Clone(list)), nil
		},
	}, nil
}

// sumOfFile is the line of a file beside the store image.
func sumOfFile(ctx context.Context, f boot.File, built *storefs.FS) (sum medium.Sum, err error) {
	sum.Path = f.Path
	if f.Source == "" {
		sum.SHA512 = sha512.Sum512(f.Data)
		return sum, nil
	}
	r, err := built.Open(f.Source)
	if err != nil {
		return sum, err
	}
	sum.SHA512, err = sumOf(ctx, r)
	if closed := r.Close(); err == nil {
		err = closed
	}
	return sum, err
}

func sumOf(ctx context.Context, r io.Reader) (sum [sha512.Size]byte, err error) {
	h := sha512.New()
	_, err = io.CopyBuffer(h, struct{ io.Reader }{progress.NewReader(ctx, r, nil)}, make([]byte, 1<<20))
	return [sha512.Size]byte(h.Sum(nil)), err
}
