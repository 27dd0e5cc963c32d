package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/comparison"
	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/zstdfile"
)

// Sources are what an image is packed from, built and readable.
type Sources struct {
	Files   *storefs.FS    // of all that is on the medium
	Closure *store.Closure // of System.StoreContents
	// Manifest is what medium.Manifest is to hold; nil for an image without one.
	Manifest []byte

	// Backwards gives the store paths to the packer from the last to the first, which makes no
	// difference.
	Backwards bool
}

// PackOptions do not change a byte of the image.
type PackOptions struct {
	Workers   int  // compressors at work; 0: one for each processor
	Backwards bool // take up what waits from the last on, see squashfs.Options

	// Scratch is the folder for a file, gone afterwards, in which an image that has to
	// be read back is made where that cannot be done from where it goes.
	Scratch string

	// Progress, if set, is called from one goroutine with how many bytes of
	// the store, of how many, are packed.
	Progress func(done, total int64)
}

// Result is what became of a plan.
type Result struct {
	Size     int64 // of the image in bytes
	FileSize int64 // of what was written: the same, or less if it is compressed
	Squashfs squashfs.Summary
}

// Packing is a plan of which all is decided, and known to be there, but what
// compression makes of the store.
type Packing struct {
	store  *Store
	medium Medium
	tree   *squashfs.Tree
	layout *hybridiso.Layout // nil of an initrd

	storeMax int64 // bytes of the file of the store, at most

	initrd *Initrd     // nil of a medium
	files  *storefs.FS // that stage 1 is copied from
}

// Prepare looks at everything that will be packed, without reading what is in
// the store's files. What has not changed since an earlier image, which may be
// nil, will be taken from there.
func (p *Plan) Prepare(ctx context.Context, src Sources, earlier *Earlier) (*Packing, error) {
	if p.initrd != nil {
		return p.prepareInitrd(ctx, src, earlier)
	}
	return Prepare(ctx, p.store, p.medium, src, earlier)
}

// Prepare prepares the packing of a store into a medium, as [Plan.Prepare] does
// of a plan's.
func Prepare(ctx context.Context, store *Store, medium Medium, src Sources, earlier *Earlier) (*Packing, error) {
	if err := store.Check(); err != nil {
		return nil, err
	}
	tree, err := ScanStore(ctx, src, earlier)
	if err != nil {
		return nil, err
	}
	layout, storeMax, err := medium.with(src.Manifest).layout(ctx, src, tree.MaxSize())
	if err != nil {
		return nil, err
	}
	return &Packing{store: store, medium: medium, tree: tree, layout: layout, storeMax: storeMax}, nil
}

// MaxSize is the most that the image can have, in bytes.
func (p *Packing) MaxSize() int64 { return p.size(p.storeMax) }

// SizeWith is the size of the image if its squashfs has that one, in bytes.
func (p *Packing) SizeWith(squashfs int64) int64 { return p.size(squashfs + p.indexSize()) }

// size is that of the image if the file of the store has so many bytes.
func (p *Packing) size(store int64) int64 {
	if p.initrd != nil {
		return p.initrd.carrier.Size(store)
	}
	return p.layout.Size(store)
}

// indexSize is what goes behind the squashfs, in bytes. An initrd has no index.
func (p *Packing) indexSize() int64 {
	if p.initrd != nil {
		return 0
	}
	return index.Size(p.layout.Extents(p.storeMax))
}

// ReadsBack says that the store is read again, for its sum, when it is written: the
// writer to which an image goes as it is has to be an io.ReaderAt.
func (p *Packing) ReadsBack() bool { return p.initrd == nil && p.medium.Tree.HasSums() }

// Write writes the image to w in one pass: the boot files, the squashfs into
// its place, what has to come after it, and the head. What is not finished is
// no image.
func (p *Packing) Write(ctx context.Context, w io.WriterAt, opts PackOptions) (Result, error) {
	if p.initrd != nil {
		return p.initrd.write(ctx, w, p, opts)
	}
	if p.medium.Zstd && p.ReadsBack() {
		return p.writeTwice(ctx, w, opts)
	}
	return p.write(ctx, w, p.medium.Zstd, opts)
}

// writeTwice makes the image in a file, and then compresses it into w.
func (p *Packing) writeTwice(ctx context.Context, w io.WriterAt, opts PackOptions) (result Result, err error) {
	out, err := CreateScratch(opts.Scratch)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	if result, err = p.write(ctx, out, false, opts); err != nil {
		return result, err
	}
	z, err := zstdfile.NewWriter(w, nil, opts.Workers) // all is written in order
	if err != nil {
		return result, err
	}
	file := &file{z, z}
	image := progress.NewReader(ctx, io.NewSectionReader(out, 0, result.Size), nil)
	_, err = io.CopyBuffer(io.NewOffsetWriter(file, 0), struct{ io.Reader }{image}, make([]byte, 1<<20))
	result.FileSize, err = file.finish(result.Size, err)
	return result, err
}

// write is Write to a file that is compressed on the way, or not.
func (p *Packing) write(ctx context.Context, w io.WriterAt, compressed bool, opts PackOptions) (Result, error) {
	file, err := newFile(w, compressed, p.layout, opts.Workers)
	if err != nil {
		return Result{}, err
	}
	var result Result
	extents, _ := p.layout.Extents(p.storeMax)
	recorder := index.NewRecorder(file, extents, p.layout.StreamOffset())
	written, err := p.layout.Write(ctx, recorder, func(ctx context.Context, w io.WriterAt) (int64, error) {
		var err error
		if result.Squashfs, err = p.store.Write(ctx, w, p.tree, opts); err != nil {
			return 0, err
		}
		return p.writeIndex(ctx, w, recorder, result.Squashfs)
	})
	result.Size = written.Size
	if result.FileSize, err = file.finish(written.Size, err); err != nil {
		return Result{}, err
	}
	return result, nil
}

// with returns the medium with identifiers that a manifest is a part of, too: images that
// differ in it alone are different ones.
func (m Medium) with(manifest []byte) Medium {
	if manifest != nil {
		sum := sha256.Sum256(append(m.Seed[:], manifest...))
		copy(m.Seed[:], sum[:])
	}
	return m
}

// writeIndex writes what the image is made of behind its squashfs, and returns where that ends.
func (p *Packing) writeIndex(ctx context.Context, w io.WriterAt, recorder *index.Recorder, packed squashfs.Summary) (end int64, err error) {
	end = packed.Size + p.indexSize()
	whole := index.Whole{Size: p.layout.Size(end), Store: packed.Sum}
	whole.Extents, whole.Loose = p.layout.Extents(end)
	table, err := recorder.Table(whole, func(w io.WriterAt) error { return p.layout.WriteEnds(ctx, w, end) })
	if err != nil {
		return 0, err
	}
	_, err = w.WriteAt(table, packed.Size)
	return end, err
}

// layout decides where everything lies on the medium with a squashfs of at most so many bytes, and
// says how many its file has at most, with the index behind it.
func (m Medium) layout(ctx context.Context, src Sources, squashfsMax int64) (layout *hybridiso.Layout, storeMax int64, err error) {
	image, err := m.volume(ctx, src)
	if err != nil {
		return nil, 0, err
	}
	storeMax = squashfsMax
	for range 2 { // the size of the index follows from a layout without it
		image.Files[0].MaxSize = storeMax
		if layout, err = image.Layout(); err != nil {
			return nil, 0, fmt.Errorf("laying out the medium: %w", err)
		}
		storeMax = squashfsMax + index.Size(layout.Extents(storeMax))
	}
	return layout, storeMax, nil
}

// volume is what is on the medium, the file of the store first.
func (m Medium) volume(ctx context.Context, src Sources) (image hybridiso.Image, err error) {
	built := src.Files
	completed, err := m.Tree.Complete(ctx, built, boot.Options{Manifest: src.Manifest, Seal: m.Seal})
	if err != nil {
		return image, err
	}
	files := []hybridiso.File{{Path: medium.StoreImage, Stream: true}}
	for _, f := range completed {
		if !f.Late {
			files = append(files, volumeFile(f, built))
		}
	}
	if m.Tree.HasSums() {
		sums, err := m.sums(ctx, completed, built)
		if err != nil {
			return image, err
		}
		files = append(files, sums)
	}
	image = hybridiso.Image{
		VolumeID:     m.VolumeID,
		Publisher:    "NIXOS",
		Application:  "NIXOS",
		DataPreparer: medium.Preparer,
		Time:         m.Epoch,
		Files:        files,
		Boot:         hybridiso.Boot{Hybrid: m.hybrid()},
		Seed:         m.Seed,
	}
	if m.Tree.BIOSImage != "" {
		image.Boot.BIOS = &hybridiso.BIOSBoot{Path: m.Tree.BIOSImage}
	}
	if slices.Contains(m.Modes, medium.BIOSUSB) {
		if image.Boot.BIOS.MBR, err = m.Tree.ReadMBRCode(built); err != nil {
			return image, err
		}
	}
	if m.Tree.EFIImage != "" {
		image.Boot.EFI = &hybridiso.EFIBoot{Path: m.Tree.EFIImage}
	}
	return image, nil
}

// volumeFile is a file of the boot tree as the volume takes it.
func volumeFile(f boot.File, files *storefs.FS) hybridiso.File {
	v := hybridiso.File{Path: f.Path}
	if f.Executable {
		v.Mode = 0o555
	}
	switch {
	case f.Dir:
		v.Dir = true
	case f.Link != "":
		v.Link = f.Link
	case f.Source == "":
		v.Data = f.Data
	default:
		v.Size = f.Size
		v.Open = func() (io.ReadCloser, error) { return files.Open(f.Source) }
	}
	return v
}

// Compare packs the image again and holds it against one, of which no second copy is kept. The error is
// a [*comparison.DifferenceError] at the first byte that is another.
func (p *Packing) Compare(ctx context.Context, with comparison.Image, opts PackOptions) error {
	c := &comparison.Writer{Image: with}
	result, err := p.Write(ctx, c, opts)
	// What packs in parallel may say first that its neighbour ended.
	if different, ok := errors.AsType[*comparison.DifferenceError](err); ok {
		return different
	}
	if err != nil {
		return err
	}
	return c.End(result.FileSize)
}
