package net

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/comparison"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/stamp"
)

func (o *packOptions) addFlags(f *pflag.FlagSet) {
	request.AddReuseFlag(f, &o.reuse, " of a medium, a folder or an initrd of 'livebuild netboot', or a .tar of 'livebuild kexec'")
	f.BoolVar(&o.again, "check", false, "pack a second time, afresh and in another order, and put the files in place only if all bytes are the same")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be made, and build nothing")
	f.BoolVar(&o.force, "force", false, "replace existing files that livebuild did not make")
	f.IntVar(&o.jobs, "jobs", 0, "compress with `N` workers (default: one for each processor)")
}

// folder is one that is filled.
type folder struct {
	verbs
	*image.Folder
	opts  netbootOptions
	build *build.Build
	boot  netboot.Boot
	names []string // of the files, in the order in which they are put in their places
	how   build.PackOptions
	stamp []byte // the archive with what is stamped, or nil
}

// beginFolder finds out before the build whether the files can be where they are to be.
func (v verbs) beginFolder(b *build.Build, of installable.Installable, opts netbootOptions, items *stamp.Items) (*folder, error) {
	f := &folder{verbs: v, opts: opts, build: b}
	var further []string
	if items != nil {
		var err error
		if f.stamp, err = stamp.Archive(*items, v.Tool); err != nil {
			return nil, err
		}
		further = []string{netboot.Stamp}
	}
	f.boot = b.Boot(further)
	if _, err := f.boot.Text(); err != nil {
		return nil, err
	}
	f.names = append([]string{f.boot.Kernel}, f.boot.Initrds...)
	f.names = append(f.names, netboot.Script, netboot.Sums, netboot.Manifest)
	path := opts.output
	if path == "" {
		path = b.Plan().FileName()
	}
	if build.InsideFlake(of, filepath.Join(path, netboot.Initrd)) {
		v.Console.Warn("the files go into the folder of the flake, which is not a git repository: " +
			"from then on Nix copies them to its store with the flake; -o puts them elsewhere")
	}
	var err error
	if f.Folder, err = image.CreateFolder(path, f.names, opts.force, netboot.Ours); err != nil {
		return nil, err
	}
	f.how, err = opts.how(filepath.Join(path, f.storeName()))
	return f, err
}

// storeName is the file that the store is in.
func (f *folder) storeName() string {
	if f.opts.pieces {
		return netboot.Store
	}
	return netboot.Initrd
}

// fill writes the large files.
func (f *folder) fill(ctx context.Context) (packed build.Result, err error) {
	if err := f.checkSize(ctx, f.build, f.opts.jobs, []int64{loaderLimit, archiveLimit}, f.warnOfLoaders); err != nil {
		return packed, err
	}
	for _, name := range f.names[:1+len(f.boot.Initrds)] {
		out, err := f.Create(name)
		if err != nil {
			return packed, err
		}
		switch name {
		case f.boot.Kernel:
			err = f.build.CopyKernel(ctx, out)
		case f.storeName():
			packed, err = f.pack(ctx, out)
		case netboot.Stamp:
			_, err = out.WriteAt(f.stamp, 0)
		default:
			err = f.build.CopyStage1(ctx, out)
		}
		if err != nil {
			return packed, err
		}
	}
	return packed, nil
}

// pack packs the store, twice if that is asked for.
func (f *folder) pack(ctx context.Context, out *image.Output) (build.Result, error) {
	packed, err := f.build.Pack(ctx, &build.File{Output: out}, f.how)
	if err == nil && f.opts.again {
		err = f.build.Compare(ctx, comparison.Image{ReaderAt: out, Size: packed.FileSize}, build.PackOptions{Workers: f.how.Workers})
	}
	return packed, err
}

// commit writes the small files, and puts all in their places.
func (f *folder) commit(ctx context.Context, packed build.Result) (files report.NetbootFiles, err error) {
	var sums strings.Builder
	describe := func(name string, out *image.Output) error {
		sum, err := out.Sync(ctx)
		if err != nil {
			return err
		}
		size, err := out.Size()
		if name != netboot.Sums {
			sums.WriteString(imagefile.SumLine(sum, name))
		}
		files.Files = append(files.Files, report.NetbootFile{Name: name, Size: size, SHA256: sum})
		return err
	}
	for i, out := range f.Files() {
		if err := describe(f.names[i], out); err != nil {
			return files, err
		}
	}
	script, err := f.boot.Text()
	if err != nil {
		return files, err
	}
	for _, name := range []string{netboot.Script, netboot.Sums, netboot.Manifest} {
		text := script
		switch name {
		case netboot.Sums:
			text = sums.String()
		case netboot.Manifest:
			text = string(packed.Manifest)
		}
		out, err := f.Create(name)
		if err != nil {
			return files, err
		}
		if _, err := io.WriteString(io.NewOffsetWriter(out, 0), text); err != nil {
			return files, err
		}
		if err := describe(name, out); err != nil {
			return files, err
		}
	}
	// Nothing starts from what is half there.
	stale := []string{netboot.Script}
	for _, name := range []string{netboot.Store, netboot.Stamp} {
		if !slices.Contains(f.names, name) {
			stale = append(stale, name)
		}
	}
	if err := f.Commit(stale...); err != nil {
		return files, err
	}
	files.Folder, err = filepath.Abs(f.Path())
	files.Place, files.Store = f.Path(), filepath.Join(f.Path(), f.storeName())
	files.CommandLine = strings.Join(f.boot.Params, " ")
	return files, errors.Join(err)
}

// limitError says that no loader could load what would be packed.
type limitError struct {
	err error // what is known of the size
}

func (e *limitError) Error() string {
	return fmt.Sprintf("%v: the size of a file in an initrd is a number of 32 bits", e.err)
}
func (e *limitError) Unwrap() error { return e.err }
