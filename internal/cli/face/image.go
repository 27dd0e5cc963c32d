package face

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/stamp"
)

// OpenMedium opens the image in a file, compressed or not, or on a disk, for other programs to
// read, too.
func (a *App) OpenMedium(ctx context.Context, path string) (*medium.File, error) {
	if netboot.Names(path) {
		return medium.OpenFolder(path)
	}
	opts := a.openOptions(path)
	opts.OneFile = true
	return medium.Open(ctx, path, opts)
}

// LookInto opens an image, compressed or not, a disk, or a folder for network boots, by its own name or that of its
// manifest, even one that starts no machine.
func (a *App) LookInto(ctx context.Context, path string) (*medium.File, error) {
	if netboot.Holds(path) {
		return medium.OpenBundle(path)
	}
	opts := a.openOptions(path)
	opts.Any = true
	return medium.Open(ctx, path, opts)
}

// NewMedium opens an image that is not in its place yet, which is to be path.
func (a *App) NewMedium(ctx context.Context, out *image.Output, path string) (*medium.File, error) {
	return medium.Open(ctx, out.Name(), a.openOptions(path))
}

// LookIntoNew opens an image that is not in its place yet, which is to be path, as LookInto does.
func (a *App) LookIntoNew(ctx context.Context, out *image.Output, path string) (*medium.File, error) {
	opts := a.openOptions(path)
	opts.Any = true
	return medium.Open(ctx, out.Name(), opts)
}

func (a *App) openOptions(name string) medium.OpenOptions {
	return medium.OpenOptions{
		Name:     name,
		Progress: a.Console,
		Scratch:  func() (medium.Scratch, error) { return image.CreateScratch(CacheFolder()) },
	}
}

// CheckImage reads the file if that is needed to know the image's size or
// checksum, or that it is whole.
func (a *App) CheckImage(ctx context.Context, file *imagefile.File, check imagefile.CheckOptions) (imagefile.Facts, error) {
	if !file.NeedsReading(check) {
		return file.Check(ctx, check)
	}
	name := filepath.Base(file.Path)
	task := progress.Begin(a.Console, "checking", name)
	check.Progress = task.Bytes
	facts, err := file.Check(ctx, check)
	if Is[*imagefile.ChecksumError](err) && wasBuiltWith(ctx, file, *check.Sum) {
		facts, err = file.Check(ctx, imagefile.CheckOptions{Any: check.Any})
	}
	if err != nil {
		task.Fail(err, nil)
		return facts, err
	}
	done := fmt.Sprintf("checked %s, %s", name, human.Size(facts.Size))
	if check.Sum != nil {
		done += fmt.Sprintf(", %s as in %s", check.Sum.Algorithm, filepath.Base(check.Sum.Source))
	}
	task.End(done)
	return facts, nil
}

// wasBuiltWith reports whether the image in a file had a sum before it was stamped.
func wasBuiltWith(ctx context.Context, file *imagefile.File, sum imagefile.Checksum) bool {
	if file.Plain() == nil || sum.Algorithm != imagefile.SHA256 {
		return false
	}
	m, err := medium.ReadAny(file.Plain(), file.FileSize)
	if err != nil {
		return false
	}
	h := sha256.New()
	built := io.NewSectionReader(stamp.AsBuilt(m), 0, file.FileSize)
	_, err = io.Copy(h, progress.NewReader(ctx, built, nil))
	return err == nil && hex.EncodeToString(h.Sum(nil)) == sum.Sum
}
