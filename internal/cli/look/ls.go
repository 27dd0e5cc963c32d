package look

import (
	"bufio"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/report"
)

type lsOptions struct {
	long, recursive, itself, json bool
}

// pathsHelp is what the verbs say that take paths of an image.
const pathsHelp = `A PATH is that of a file of the volume, as /isolinux/isolinux.cfg. Behind a file that
is itself an image of a file system it goes on in there:
/live/filesystem.squashfs/etc/hostname; a slash alone names the image's root folder.
/nix/store/... is found in the store of the medium, and esp:/EFI/BOOT in its EFI system
partition (esp2:/ in a second one). Wildcards are * ? [a-z], which the shell leaves alone
between quotes. Symbolic links are followed inside the image. Nothing is mounted, and the
image, anyone's, is only read.`

// Ls is the verb of that name.
func Ls(app *face.App) *cobra.Command {
	a := verbs{app}
	var opts lsOptions
	cmd := &cobra.Command{
		Use:   "ls IMAGE [PATH...] [flags]",
		Short: "List files in an image",
		Long: `List files of an image, of its EFI system partition and of the file system images in
it: of a folder what it holds.

` + pathsHelp,
		Example: `  livebuild ls nixos.iso
  livebuild ls -l nixos.iso esp:/EFI/BOOT
  livebuild ls -d nixos.iso '/nix/store/*-linux-*'
  livebuild ls -R debian-live.iso /live/filesystem.squashfs/etc`,
		Args: someImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			paths := args[1:]
			if len(paths) == 0 {
				paths = []string{"/"}
			}
			return a.withContents(cmd.Context(), args[0], func(_ *medium.File, c *contents.Contents) error {
				return a.ls(cmd.Context(), c, paths, opts)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&opts.long, "long", "l", false, "show permissions, owners, sizes, times, targets of links and extended attributes")
	f.BoolVarP(&opts.recursive, "recursive", "R", false, "list what is in the folders below, too")
	f.BoolVarP(&opts.itself, "directory", "d", false, "list folders themselves, not what they hold")
	f.BoolVar(&opts.json, "json", false, "print the list as JSON")
	return cmd
}

func someImage(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("which image? a file is missing")
	}
	return nil
}

// withContents opens an image for a use of its files.
func (a verbs) withContents(ctx context.Context, image string, use func(*medium.File, *contents.Contents) error) (err error) {
	m, err := a.LookInto(ctx, image)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	c, err := contents.Open(m.Medium)
	if err != nil {
		return err
	}
	return use(m, c)
}

// find returns the files at some paths.
func find(c *contents.Contents, paths []string, follow bool) ([]contents.File, error) {
	var files []contents.File
	for _, p := range paths {
		at, err := c.Find(p, follow)
		if err != nil {
			return nil, err
		}
		files = append(files, at...)
	}
	return files, nil
}

func (a verbs) ls(ctx context.Context, c *contents.Contents, paths []string, opts lsOptions) error {
	files, err := find(c, paths, !opts.long && !opts.itself)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.Out)
	l := report.NewListing(out, opts.json, opts.long)
	if err := list(ctx, c, files, opts, l); err != nil {
		return errors.Join(err, out.Flush())
	}
	return errors.Join(l.End(), out.Flush())
}

// list lists files, and then what the folders among them hold.
func list(ctx context.Context, c *contents.Contents, files []contents.File, opts lsOptions, l report.Listing) error {
	var dirs []contents.File
	for _, f := range files {
		if f.Mode.IsDir() && !opts.itself {
			dirs = append(dirs, f)
		} else if err := l.File(f, f.Path); err != nil {
			return err
		}
	}
	for _, dir := range dirs {
		if len(files) > 1 || opts.recursive {
			if err := l.Folder(dir); err != nil {
				return err
			}
		}
		if !opts.recursive {
			for f, err := range c.List(dir) {
				if err == nil {
					err = errors.Join(context.Cause(ctx), l.File(f, f.Name()))
				}
				if err != nil {
					return err
				}
			}
			continue
		}
		first := true
		err := c.Walk(dir, func(f contents.File) error {
			if !f.Mode.IsDir() {
				return nil
			}
			if !first {
				if err := l.Folder(f); err != nil {
					return err
				}
			}
			first = false
			for child, err := range c.List(f) {
				if err == nil {
					err = errors.Join(context.Cause(ctx), l.File(child, child.Name()))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
