package image

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Store says how the Nix store becomes a squashfs, on whatever medium.
type Store struct {
	compression codec.Settings
	epoch       time.Time // the date of the squashfs

	codec *codec.Codec
	err   error // why there is none
}

// NewStore decides how a store is packed. That this program cannot, Check says:
// a plan is worth having all the same.
func NewStore(compression codec.Settings, epoch time.Time) *Store {
	s := &Store{compression: compression, epoch: epoch}
	s.codec, s.err = codec.New(compression, 0)
	return s
}

// Compression is how the squashfs is compressed.
func (s *Store) Compression() codec.Settings { return s.compression }

// BlockSize is that of the squashfs in bytes, and Identity names all that its compressed
// bytes depend on beside the data: [codec.Codec.Identity]. If Check fails, there are none.
func (s *Store) BlockSize() int {
	if s.err != nil {
		return 0
	}
	return s.codec.Settings().BlockSize
}

// Identity is described with BlockSize.
func (s *Store) Identity() string {
	if s.err != nil {
		return ""
	}
	return s.codec.Identity()
}

// Check returns why this program cannot pack the store, if it cannot: a
// [*codec.UnsupportedError] or a [*codec.SettingsError].
func (s *Store) Check() error { return s.err }

// Write writes what was scanned as a squashfs.
func (s *Store) Write(ctx context.Context, w io.WriterAt, tree *squashfs.Tree, opts PackOptions) (squashfs.Summary, error) {
	if s.err != nil {
		return squashfs.Summary{}, s.err
	}
	done := int64(0)
	return tree.Write(ctx, w, squashfs.Options{
		Codec:     s.codec,
		MkfsTime:  s.epoch,
		ModTime:   storeTime,
		Workers:   opts.Workers,
		Backwards: opts.Backwards,
		Progress: func(bytes int64) {
			done += bytes
			if opts.Progress != nil {
				opts.Progress(done, tree.Bytes)
			}
		},
	})
}

// storeTime is the modification time of every file in a Nix store
// (libstore/posix-fs-canonicalise.cc, mtimeStore). Programs rely on it: Python
// compares it with what its compiled files recorded when they were built.
var storeTime = time.Unix(1, 0)

// ScanStore looks at everything that the squashfs will hold: each store path by its base name,
// which is how stage 1 mounts it over /nix/store, and the registration.
// Versions and outputs of a package are kin.
func ScanStore(ctx context.Context, src Sources, earlier *Earlier) (*squashfs.Tree, error) {
	var registration bytes.Buffer
	if err := src.Closure.WriteRegistration(&registration); err != nil {
		return nil, err
	}
	entries := []squashfs.Entry{{Name: medium.Registration, Data: registration.Bytes()}}
	for _, info := range src.Closure.Paths {
		name := path.Base(info.Path)
		place, err := src.Files.HostPath(info.Path)
		if err != nil {
			return nil, err
		}
		entries = append(entries, squashfs.Entry{
			Name: name,
			Path: place,
			Kin:  store.PackageName(info.Path),
			Kept: earlier != nil && earlier.kept[name],
		})
	}
	if src.Backwards {
		slices.Reverse(entries)
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
