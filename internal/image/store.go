package image

import (
	"context"
	"io"

	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// PackStore writes the store alone, as an image with that compression would
// hold it: for measuring. Its date is DefaultEpoch.
func PackStore(ctx context.Context, w io.WriterAt, src Sources, compression codec.Settings, opts PackOptions) (squashfs.Summary, error) {
	c, err := (&Plan{Compression: compression}).codec()
	if err != nil {
		return squashfs.Summary{}, err
	}
	tree, err := storeTree(ctx, src)
	if err != nil {
		return squashfs.Summary{}, err
	}
	done := int64(0)
	return tree.Write(ctx, w, squashfs.Options{
		Codec:    c,
		MkfsTime: DefaultEpoch,
		ModTime:  storeTime,
		Workers:  opts.Workers,
		Progress: func(bytes int64) {
			done += bytes
			if opts.Progress != nil {
				opts.Progress(done, tree.Bytes)
			}
		},
	})
}
