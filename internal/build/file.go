package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/progress"
)

// File is a target: a file that is in its place complete, or not at all.
type File struct {
	*image.Output
	Sum string // SHA-256, once it is taken
}

// Take writes the image and waits until the disk has it.
func (f *File) Take(ctx context.Context, p *Packing) (image.Result, error) {
	packed, err := p.Write(ctx, f.Output)
	if err != nil {
		return packed, err
	}
	// Which can take long after the last byte is written.
	task := progress.Begin(p.sink, "syncing", "")
	if f.Sum, err = f.Sync(ctx); err != nil {
		task.Fail(err, nil)
		return packed, err
	}
	task.End(nil)
	return packed, nil
}

// Again empties the file, for another packing.
func (f *File) Again() error { return f.Truncate(0) }

// Temporary is a target: a file without a name, which is gone when it is aborted.
type Temporary struct{ *image.Output }

// NewTemporary makes a file in a folder, which is made if it is missing.
func NewTemporary(folder string) (Temporary, error) {
	out, err := image.CreateScratch(folder)
	return Temporary{out}, err
}

// Take writes the image.
func (t Temporary) Take(ctx context.Context, p *Packing) (image.Result, error) {
	return p.Write(ctx, t.Output)
}

// Again empties the file, for another packing.
func (t Temporary) Again() error { return t.Truncate(0) }

// InsideFlake says whether an image lands in the folder of a flake that is not a git
// repository: Nix copies such a folder whole into its store, image and all, at every
// evaluation.
func InsideFlake(of installable.Installable, path string) bool {
	folder, ok := of.Folder()
	if !ok {
		return false
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for dir := folder; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return false
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return strings.HasPrefix(path, folder+"/")
}
