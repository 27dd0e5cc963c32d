package build

import (
	"context"
	"io"
	"io/fs"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/kexec"
)

// Kexec is an archive that was written.
type Kexec struct {
	Result
	ArchiveSize int64        // bytes
	Initrd      kexec.Behind // where it is, of FileSize bytes
}

// PackKexec builds an archive for kexec of a configuration that was evaluated to pack so, and writes it. Stamp is what
// is stamped, an initrd, or nil.
func (b *Build) PackKexec(ctx context.Context, w kexec.Writer, stamp []byte, opts PackOptions) (packed Kexec, err error) {
	src, err := b.source(ctx)
	if err != nil {
		return packed, err
	}
	sys := b.plan.System()
	of := kexec.System{Title: b.Boot(nil).Title, Platform: sys.Platform, Params: b.plan.Initrd().Params}
	archive, err := kexec.NewArchive(w, b.plan.Medium().Epoch)
	if err != nil {
		return packed, err
	}
	members := []kexec.Member{
		{Name: kexec.Run, Mode: 0o755, Data: of.Script()},
		{Name: kexec.Restore, Mode: 0o644, Data: kexec.RestoreArchive()},
	}
	if stamp != nil {
		members = append(members, kexec.Member{Name: kexec.Stamp, Mode: 0o600, Data: stamp})
	}
	for _, f := range []struct {
		name, file string
		mode       int64
	}{
		{kexec.Kexec, sys.KexecTools.Kexec, 0o755}, {kexec.Busybox, sys.KexecTools.Busybox, 0o755}, {kexec.IP, sys.KexecTools.IP, 0o755},
		{kexec.Kernel, sys.Root().Kernel, 0o644},
	} {
		if f.file == "" {
			continue
		}
		var info fs.FileInfo
		if _, info, err = src.Files.Find(f.file); err != nil {
			return packed, err
		}
		members = append(members, kexec.Member{Name: f.name, Mode: f.mode, Size: info.Size(), Copy: func(w io.WriterAt) error {
			_, err := image.CopyFile(ctx, w, src.Files, f.file)
			return err
		}})
	}
	for _, m := range members {
		if err := archive.Add(m); err != nil {
			return packed, err
		}
	}
	if err := archive.AddSums(); err != nil {
		return packed, err
	}
	if err := archive.AddManifest(src.Manifest); err != nil {
		return packed, err
	}
	packed.Initrd = archive.Initrd()
	if packed.Result, err = b.Pack(ctx, initrdTarget(packed.Initrd), opts); err != nil {
		return packed, err
	}
	of.InitrdSize = packed.FileSize
	packed.ArchiveSize, err = archive.Finish(of.Script(), of.InitrdSize)
	return packed, err
}

// initrdTarget is a target: a place in an archive.
type initrdTarget kexec.Behind

// Take writes the initrd.
func (t initrdTarget) Take(ctx context.Context, p *Packing) (image.Result, error) {
	return p.Write(ctx, kexec.Behind(t))
}
