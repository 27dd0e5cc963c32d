package build

import (
	"context"
	"io"
	"time"

	"github.com/livebuild/livebuild/internal/decompressor"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
)

// Target is where an image goes.
type Target interface {
	// Take has the packing written to where the target wants it, at most once.
	Take(context.Context, *Packing) (image.Result, error)
}

// PackOptions do not change a byte of the image.
type PackOptions struct {
	Reuse    Reuse
	Replaces string // a file that the image comes in the place of, to pack from
	Workers  int    // 0: one for each processor
}

// Result is what became of a configuration.
type Result struct {
	image.Result
	StorePaths int
	StoreBytes int64         // as Nix counts, NAR sizes
	Shares     []image.Share // of several systems what each takes, in their order
	Manifest   []byte        // that lies on the medium, too
	From       string        // the earlier image that some of it was taken from, a path or URL; "" if none was
	Times      Times
}

// source is what the image is packed from, built.
func (b *Build) source(ctx context.Context) (src image.Sources, err error) {
	if src, err = b.Realise(ctx); err != nil {
		return src, err
	}
	paper, err := b.manifest(src.Closure)
	if err != nil {
		return src, err
	}
	src.Manifest, err = paper.Encode()
	b.sources = &src
	return src, err
}

// Pack builds the image of a configuration that was evaluated to pack, and gives it
// to the target.
func (b *Build) Pack(ctx context.Context, to Target, opts PackOptions) (result Result, err error) {
	src, err := b.source(ctx)
	if err != nil {
		return result, err
	}
	result.Manifest = src.Manifest
	if len(b.installables) > 1 {
		result.Shares = b.plan.Shares(src.Closure)
		for _, s := range result.Shares[1:] {
			progress.Note(b.options.Sink, Adds{s.Configuration, s.AddsPaths, s.AddsBytes})
		}
	}
	checking := progress.Begin(b.options.Sink, "checking", "kernels") // which are read
	err = decompressor.Check(b.plan.Systems(), src.Files, b.plan.Store().Compression())
	checking.End(nil)
	if err != nil {
		progress.Warn(b.options.Sink, err)
	}
	started := time.Now()
	if result.Result, result.From, err = b.pack(ctx, to, src, opts); err != nil {
		return result, err
	}
	b.times.Pack = time.Since(started)
	result.StorePaths, result.StoreBytes, result.Times = len(src.Closure.Paths), src.Closure.NarSize(), b.times
	return result, nil
}

// packFrom gives the target a packing that takes what it can from an earlier image, which may be nil.
func (b *Build) packFrom(ctx context.Context, to Target, src image.Sources, opts PackOptions, earlier *image.Earlier, unfit *image.UnfitError) (packed image.Result, err error) {
	p := &Packing{
		sink:    b.options.Sink,
		task:    progress.Begin(b.options.Sink, "packing", ""),
		earlier: earlier,
		unfit:   unfit,
		workers: opts.Workers,
		scratch: b.options.Cache,
		fact:    Packed{StorePaths: len(src.Closure.Paths), Compression: b.plan.Store().Compression().String()},
	}
	if p.packing, err = b.plan.Prepare(ctx, src, earlier); err == nil {
		packed, err = to.Take(ctx, p)
	}
	if err != nil {
		p.fail(err)
	}
	return packed, err
}

// Remember keeps the image, which is in a file now, in mind for the next one.
func (b *Build) Remember(path string, packed Result) error {
	if b.plan.Medium().Zstd { // nothing can be taken from it
		return nil
	}
	return image.OpenCatalog(b.options.Cache).Add(path, b.plan.Store(), packed.Squashfs)
}

// Packing is an image that is about to be written.
type Packing struct {
	packing *image.Packing
	earlier *image.Earlier // nil if there is none
	unfit   *image.UnfitError
	workers int

	scratch string // folder
	sink    progress.Sink
	task    *progress.Task // nil once it has ended
	fact    Packed
}

// MaxSize is the most that the image can have, in bytes.
func (p *Packing) MaxSize() int64 { return p.packing.MaxSize() }

// ReadsBack says that Write needs an io.ReaderAt, as of [image.Packing].
func (p *Packing) ReadsBack() bool { return p.packing.ReadsBack() }

// Write writes the image to w in one pass, and tells how far it is.
func (p *Packing) Write(ctx context.Context, w io.WriterAt) (image.Result, error) {
	packed, err := p.packing.Write(ctx, w, image.PackOptions{Workers: p.workers, Scratch: p.scratch, Progress: p.task.Bytes})
	if err != nil {
		p.fail(err)
		return packed, err
	}
	p.fact.Size = packed.FileSize
	p.task.End(p.fact)
	p.task = nil
	switch {
	case p.unfit != nil:
		progress.Note(p.sink, Unfit{p.unfit.Path, p.unfit.Err.Error()})
	case p.earlier != nil:
		progress.Note(p.sink, Reused{
			Path:       p.earlier.Path,
			StorePaths: p.earlier.Paths,
			Bytes:      packed.Squashfs.ReusedBytes,
			Of:         packed.Squashfs.DataBytes,
			Damaged:    p.earlier.Damaged,
		})
	}
	return packed, nil
}

// fail ends the task, unless it has ended.
func (p *Packing) fail(err error) {
	if p.task != nil {
		p.task.Fail(err, nil)
		p.task = nil
	}
}
