package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"time"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// preparer marks an image as made by livebuild, in the volume descriptor's
// field for who prepared the data (ECMA-119 §8.4.21).
const preparer = "LIVEBUILD"

// MadeHere reports whether a file or a disk begins with an image made by
// livebuild.
func MadeHere(r io.ReaderAt) bool {
	v, err := hybridiso.ReadVolume(r)
	return err == nil && v.DataPreparer == preparer
}

// Sources are what an image is packed from, built and readable.
type Sources struct {
	Store   nix.Store
	Closure *nix.Closure // of System.StoreContents
}

// PackOptions do not change a byte of the image.
type PackOptions struct {
	Workers int // compressors at work; 0: one for each processor

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
	plan   *Plan
	codec  *codec.Codec
	tree   *squashfs.Tree
	layout *hybridiso.Layout
}

// Prepare looks at everything that will be packed, without reading what is in
// the store's files. What has not changed since an earlier image, which may be
// nil, will be taken from there.
func (p *Plan) Prepare(ctx context.Context, src Sources, earlier *Earlier) (*Packing, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(collectAt))
	packing := &Packing{plan: p}
	var err error
	if packing.codec, err = p.codec(); err != nil {
		return nil, err
	}
	if packing.tree, err = storeTree(ctx, src, earlier); err != nil {
		return nil, err
	}
	packing.layout, err = p.layout(ctx, src.Store, packing.tree.MaxSize())
	return packing, err
}

// MaxSize is the most that the image can have, in bytes.
func (p *Packing) MaxSize() int64 { return p.layout.Size(p.tree.MaxSize()) }

// Write writes the image to w in one pass: the boot files, the squashfs into
// its place, what has to come after it, and the head. What is not finished is
// no image.
func (p *Packing) Write(ctx context.Context, w io.WriterAt, opts PackOptions) (Result, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(collectAt))
	file, err := p.plan.newFile(w, p.layout, opts.Workers)
	if err != nil {
		return Result{}, err
	}
	var result Result
	written, err := p.layout.Write(ctx, file, func(ctx context.Context, w io.WriterAt) (int64, error) {
		var err error
		result.Squashfs, err = writeStore(ctx, w, p.tree, p.codec, p.plan.Epoch, opts)
		return result.Squashfs.Size, err
	})
	result.Size = written.Size
	if result.FileSize, err = file.finish(written.Size, err); err != nil {
		return Result{}, err
	}
	return result, nil
}

// writeStore writes the squashfs, made at epoch.
func writeStore(ctx context.Context, w io.WriterAt, tree *squashfs.Tree, c *codec.Codec, epoch time.Time, opts PackOptions) (squashfs.Summary, error) {
	done := int64(0)
	return tree.Write(ctx, w, squashfs.Options{
		Codec:    c,
		MkfsTime: epoch,
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

// collectAt is by how many percent memory in use grows before garbage is
// collected. Most of it are buffers, in which nothing has to be looked for, so
// that collecting often is cheap.
const collectAt = 50

// storeTime is the modification time of every file in a Nix store
// (libstore/posix-fs-canonicalise.cc, mtimeStore). Programs rely on it: Python
// compares it with what its compiled files recorded when they were built.
var storeTime = time.Unix(1, 0)

// Check finds out before the build whether this program can pack the image: it
// may have been built without one of the codecs.
func (p *Plan) Check() error {
	_, err := p.codec()
	return err
}

// codec makes the compressor that the plan names.
func (p *Plan) codec() (*codec.Codec, error) {
	blockSize := p.Compression.BlockSize
	if blockSize == 0 {
		blockSize = codec.DefaultBlockSize
	}
	return codec.New(p.Compression, blockSize)
}

// storeTree is the tree of the squashfs: each store path by its base name,
// which is how stage 1 mounts it over /nix/store, and the registration.
// Versions and outputs of a package are kin.
func storeTree(ctx context.Context, src Sources, earlier *Earlier) (*squashfs.Tree, error) {
	var registration bytes.Buffer
	if err := src.Closure.WriteRegistration(&registration); err != nil {
		return nil, err
	}
	entries := []squashfs.Entry{{Name: Registration, Data: registration.Bytes()}}
	for _, info := range src.Closure.Paths {
		name := path.Base(info.Path)
		entries = append(entries, squashfs.Entry{
			Name: name,
			Path: src.Store.PhysicalPath(info.Path),
			Kin:  nix.PackageName(info.Path),
			Kept: earlier != nil && earlier.kept[name],
		})
	}
	if earlier == nil {
		return squashfs.Scan(ctx, entries, archived, nil)
	}
	return squashfs.Scan(ctx, entries, archived, earlier.squashfs)
}

// archived are the permissions that a Nix archive keeps of a file: whether it
// may be executed. Those of a store can be others: a directory that was built
// without execute permission stays so where it was built, and has it where it
// was copied to (the NAR hash is the same).
func archived(onHost fs.FileMode) fs.FileMode {
	if onHost.IsDir() || onHost&0o100 != 0 {
		return 0o555
	}
	return 0o444
}

// layout decides where everything lies on the medium.
func (p *Plan) layout(ctx context.Context, store nix.Store, storeMax int64) (*hybridiso.Layout, error) {
	completed, err := p.Tree.Complete(ctx, store)
	if err != nil {
		return nil, err
	}
	files := []hybridiso.File{{Path: boot.StoreImage, Stream: true, MaxSize: storeMax}}
	for _, f := range completed {
		files = append(files, volumeFile(f))
	}
	image := hybridiso.Image{
		VolumeID:     p.System.VolumeID,
		Publisher:    "NIXOS",
		Application:  "NIXOS",
		DataPreparer: preparer,
		Time:         p.Epoch,
		Files:        files,
		Boot:         hybridiso.Boot{Hybrid: p.hybrid()},
		Seed:         p.seed(),
	}
	if p.Tree.BIOSImage != "" {
		image.Boot.BIOS = &hybridiso.BIOSBoot{Path: p.Tree.BIOSImage}
	}
	if slices.Contains(p.Modes, BIOSUSB) {
		image.Boot.BIOS.MBR, err = os.ReadFile(store.PhysicalPath(p.Tree.MBRCode))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &boot.MissingFileError{What: "the boot code for disks,", Path: p.Tree.MBRCode}
		}
		if err != nil {
			return nil, err
		}
	}
	if p.Tree.EFIImage != "" {
		image.Boot.EFI = &hybridiso.EFIBoot{Path: p.Tree.EFIImage}
	}
	layout, err := image.Layout()
	if err != nil {
		return nil, fmt.Errorf("laying out the medium: %w", err)
	}
	return layout, nil
}

// volumeFile is a file of the boot tree as the volume takes it.
func volumeFile(f boot.File) hybridiso.File {
	v := hybridiso.File{Path: f.Path, Executable: f.Executable}
	switch {
	case f.Dir:
		v.Dir = true
	case f.Link != "":
		v.Target = f.Link
	case f.Source == "":
		v.Data = f.Data
	default:
		v.Size = f.Size
		v.Open = func() (io.ReadCloser, error) { return os.Open(f.Source) }
	}
	return v
}
