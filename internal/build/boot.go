package build

import (
	"context"
	"io"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/netboot"
)

// Boot is how a system that was planned without a medium is started, by files that others are
// loaded behind.
func (b *Build) Boot(further []string) netboot.Boot {
	initrd := b.plan.Initrd()
	boot := netboot.Boot{
		Title:   b.plan.System().DistroName + " " + b.plan.System().Label + ", " + b.plan.System().Platform,
		Kernel:  initrd.Kernel,
		Initrds: []string{netboot.Initrd},
		Params:  initrd.Params,
	}
	if initrd.Apart {
		boot.Initrds = append(boot.Initrds, netboot.Store)
	}
	if b.plan.System().KexecTools != nil {
		boot.Title, boot.Kernel = b.plan.System().DistroName+" "+b.plan.System().Label, kexec.Kernel
	}
	boot.Initrds = append(boot.Initrds, further...)
	return boot
}

// CopyKernel copies the kernel of what was realised.
func (b *Build) CopyKernel(ctx context.Context, w io.WriterAt) error {
	_, err := b.copyFile(ctx, w, b.plan.System().Root().Kernel)
	return err
}

// CopyStage1 copies stage 1 alone, filled up with zeros to a multiple of four bytes: not all loaders do
// that where another initrd follows.
func (b *Build) CopyStage1(ctx context.Context, w io.WriterAt) error {
	size, err := b.copyFile(ctx, w, b.plan.System().Root().Initrd)
	if err == nil && size%4 != 0 {
		_, err = w.WriteAt(make([]byte, 4-size%4), size)
	}
	return err
}

// copyFile copies a file of the store, and returns its size.
func (b *Build) copyFile(ctx context.Context, w io.WriterAt, name string) (int64, error) {
	src, err := b.Realise(ctx)
	if err != nil {
		return 0, err
	}
	return image.CopyFile(ctx, w, src.Files, name)
}
