package image

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/initrd"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/cpio"
)

// Initrd says how a store becomes an initrd, of a system that starts without a medium.
type Initrd struct {
	Kernel  string   // what its file is called
	Params  []string // of the kernel's command line, init= first
	Apart   bool     // the store is an archive of its own, which is loaded behind stage 1
	stage1  string   // file of a store path
	carrier cpio.Carrier
}

// newInitrdPlan decides what the initrd of a configuration will be.
func newInitrdPlan(sys *nixos.System, opts Options, store *Store, epoch time.Time) (*Plan, error) {
	root := sys.Root()
	params := append([]string{"init=" + root.Toplevel.Out + "/init"}, root.KernelParams...)
	if err := boot.CheckCommandLine(sys.Name, sys.Platform, params); err != nil {
		return nil, err
	}
	p := &Plan{
		systems: []*nixos.System{sys},
		store:   store,
		medium:  Medium{Epoch: epoch, Modes: modesFromMemory(sys)},
		realise: nix.Targets(sys.Realise),
		initrd:  &Initrd{Kernel: sys.KernelFile, Params: params, Apart: opts.Apart, stage1: root.Initrd},
	}
	for _, source := range sys.Sources { // which exist, and have to stay
		p.realise = append(p.realise, nix.Target{Path: source})
	}
	return p, nil
}

// modesFromMemory are those of a system that starts without a medium.
func modesFromMemory(sys *nixos.System) []medium.Mode {
	if sys.KexecTools != nil {
		return []medium.Mode{medium.Kexec}
	}
	return medium.NetworkModes(sys.IsX86)
}

// Initrd is what the plan is of a system that starts without a medium, else nil.
func (p *Plan) Initrd() *Initrd { return p.initrd }

// prepared returns the initrd with its layout, which follows from the size of stage 1.
func (i *Initrd) prepared(src Sources) (*Initrd, error) {
	with := *i
	behind := int64(0)
	if !i.Apart {
		_, info, err := src.Files.Find(i.stage1)
		if err != nil {
			return nil, err
		}
		behind = (info.Size() + cpio.Align - 1) / cpio.Align * cpio.Align
	}
	with.carrier = initrd.Carrier(behind)
	return &with, nil
}

// prepareInitrd is Prepare of an initrd.
func (p *Plan) prepareInitrd(ctx context.Context, src Sources, earlier *Earlier) (*Packing, error) {
	if err := p.store.Check(); err != nil {
		return nil, err
	}
	tree, err := ScanStore(ctx, src, earlier)
	if err != nil {
		return nil, err
	}
	with, err := p.initrd.prepared(src)
	if err != nil {
		return nil, err
	}
	return &Packing{store: p.store, medium: p.medium, tree: tree, storeMax: tree.MaxSize(), initrd: with, files: src.Files}, nil
}

// write writes stage 1, unless the store is apart, and the store behind it.
func (i *Initrd) write(ctx context.Context, w io.WriterAt, p *Packing, opts PackOptions) (result Result, err error) {
	if !i.Apart {
		size, err := CopyFile(ctx, w, p.files, i.stage1)
		if err != nil {
			return result, err
		}
		// All bytes are written, those of a gap too: a second packing is held against them.
		if _, err := w.WriteAt(make([]byte, i.carrier.Behind-size), size); err != nil {
			return result, err
		}
	}
	if result.Squashfs, err = p.store.Write(ctx, behind{w, i.carrier.Offset()}, p.tree, opts); err != nil {
		return result, err
	}
	result.Size, err = i.carrier.Finish(w, result.Squashfs.Size)
	result.FileSize = result.Size
	return result, err
}

// CopyFile copies a file of the store to the beginning of another one, and returns its size.
func CopyFile(ctx context.Context, w io.WriterAt, files *storefs.FS, name string) (size int64, err error) {
	f, err := files.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if size, err = io.Copy(io.NewOffsetWriter(w, 0), progress.NewReader(ctx, f, nil)); err != nil {
		return size, fmt.Errorf("copying %s: %w", name, err)
	}
	return size, nil
}

// behind writes to what begins at an offset of a file.
type behind struct {
	w      io.WriterAt
	offset int64
}

func (b behind) WriteAt(p []byte, offset int64) (int, error) {
	return b.w.WriteAt(p, b.offset+offset)
}

// Outer returns the file, into which the kernel may be able to copy.
func (b behind) Outer() (w io.WriterAt, offset int64) { return b.w, b.offset }
