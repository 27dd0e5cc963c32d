package look

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/report"
)

// Cat is the verb of that name.
func Cat(app *face.App) *cobra.Command {
	a := verbs{app}
	return &cobra.Command{
		Use:   "cat IMAGE PATH... [flags]",
		Short: "Print files of an image",
		Long: `Print files of an image, of its EFI system partition and of the file system images in
it, one behind the other.

` + pathsHelp,
		Example: `  livebuild cat nixos.iso /isolinux/isolinux.cfg
  livebuild cat nixos.iso esp:/EFI/BOOT/grub.cfg
  livebuild cat nixos.iso '/nix/store/*-etc-os-release'`,
		Args: imageAndPaths,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withContents(cmd.Context(), args[0], func(_ *medium.File, c *contents.Contents) error {
				return a.cat(cmd.Context(), c, args[1:])
			})
		},
	}
}

func imageAndPaths(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return errors.New("which file of the image? a path is missing")
	}
	return someImage(cmd, args)
}

func (a verbs) cat(ctx context.Context, c *contents.Contents, paths []string) error {
	files, err := find(c, paths, true)
	if err != nil {
		return err
	}
	// What cannot be printed is found before anything is.
	contents := make([]*io.SectionReader, len(files))
	for i, f := range files {
		if contents[i], err = c.Open(f); err != nil {
			return err
		}
	}
	buffer := make([]byte, 1<<20) // a block of any squashfs
	for i, f := range files {
		n, err := io.CopyBuffer(struct{ io.Writer }{a.Out}, progress.NewReader(ctx, contents[i], nil), buffer)
		if err == nil && n != f.Size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return nil
}

type extractOptions struct {
	to       string
	allLinks bool
	json     bool
}

// Extract is the verb of that name.
func Extract(app *face.App) *cobra.Command {
	a := verbs{app}
	var opts extractOptions
	cmd := &cobra.Command{
		Use:   "extract IMAGE PATH... [flags]",
		Short: "Take files out of an image",
		Long: `Take files and folders of an image, of its EFI system partition and of the file system
images in it out to a folder, each under the last name of its path; of a path that ends
in a slash what it holds.

Nothing gets outside of the folder, and nothing that is there is replaced. Names appear
when everything is whole. Permissions and times are those of the image; owners,
setuid bits and extended attributes are not restored. Devices are left out, and so are
symbolic links that lead out of the folder: both are told.

` + pathsHelp,
		Example: `  livebuild extract nixos.iso /boot/grub -o boot
  livebuild extract nixos.iso '/nix/store/*-hello-*'
  livebuild extract fedora.iso /LiveOS/squashfs.img/ -o fedora`,
		Args: imageAndPaths,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withContents(cmd.Context(), args[0], func(_ *medium.File, c *contents.Contents) error {
				return a.extract(cmd.Context(), c, args[1:], opts)
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&opts.to, "output", "o", ".", "take them to `FOLDER`, which is made if it is not there")
	f.BoolVar(&opts.allLinks, "all-links", false, "take symbolic links as they are, wherever they lead")
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	return cmd
}

func (a verbs) extract(ctx context.Context, c *contents.Contents, paths []string, opts extractOptions) (err error) {
	files, err := find(c, paths, true)
	if err != nil {
		return err
	}
	made, err := makeFolder(opts.to)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			for _, dir := range made { // those that hold nothing
				_ = os.Remove(dir)
			}
		}
	}()
	root, err := os.OpenRoot(opts.to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	done, err := c.Extract(ctx, files, root, contents.ExtractOptions{AllLinks: opts.allLinks, Progress: a.Console})
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(opts.to)
	if err != nil {
		return err
	}
	return a.Print(report.Extraction{Folder: absolute, Extraction: done}, opts.json)
}

// makeFolder makes a folder and those above it, and returns those that were not there, the
// innermost first.
func makeFolder(dir string) (made []string, err error) {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, at)
	}
	return made, os.MkdirAll(dir, 0o777)
}
