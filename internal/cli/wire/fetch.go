package wire

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/report"
)

// Hints are advice on the errors of this package.
var Hints = []advice.Row{
	advice.On[*netrcError]("netrc(5) tells its form; NETRC names another file"),
	advice.On[*namelessError]("-o FILE gives it a name"),
}

type fetchOptions struct {
	Options
	output string
	seeds  []string
	sha256 string
	key    Key
	force  bool
	json   bool
}

// Fetch is the verb.
func Fetch(app *face.App) *cobra.Command {
	var opts fetchOptions
	cmd := &cobra.Command{
		Use:   "fetch URL [flags]",
		Short: "Download an image, but for what an image here has already",
		Long: `Download an image from any web server, but for what an image that is here has
already. What has not changed is taken from the file that is to be replaced, from
images that were built or fetched here, or from those that --seed names; each piece
is held against its SHA-256.

That takes an image made by livebuild on a server that gives parts of files, as
nearly all do. Any other file is downloaded as a whole. Whatever interrupts it, the
same command goes on where it was: what there is meanwhile is in FILE.part. The file
appears when it is complete and right.

A SHA-256 given by --sha256, or else one in URL.sha256 or in SHA256SUMS beside it, is
that of the whole image, and is checked; so is a signature beside it with --key.
Without, the image is as good as the connection; the result says what vouches for it.
A checksum beside FILE that was of an earlier image is written anew.

Proxies are those of HTTPS_PROXY, HTTP_PROXY and NO_PROXY, passwords those of
~/.netrc.`,
		Example: `  livebuild fetch https://example.org/exampleIso.iso
  livebuild fetch https://example.org/exampleIso.iso -o images/ --seed last.iso
  livebuild fetch https://example.org/exampleIso.iso --header 'PRIVATE-TOKEN: …'`,
		Args: func(_ *cobra.Command, args []string) error {
			return face.CheckOne(args, "which image? a URL is missing", "one URL is wanted, not %d")
		},
		RunE: func(cmd *cobra.Command, args []string) error { return fetch(cmd.Context(), app, args[0], opts) },
	}
	f := cmd.Flags()
	f.StringVarP(&opts.output, "output", "o", "", "write to `FILE`, or into a folder if it ends in '/' or is one")
	f.StringArrayVar(&opts.seeds, "seed", nil, "take what has not changed from the image in `FILE`; several times from several")
	f.StringVar(&opts.sha256, "sha256", "", "`SUM` that the image, or the compressed file, must have")
	opts.key.AddFlag(f)
	f.BoolVar(&opts.force, "force", false, "take whatever the file holds, and replace an existing file that livebuild did not make")
	opts.AddFlags(f)
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	return cmd
}

// namelessError says that a URL has no name of a file.
type namelessError struct{ url string }

func (e *namelessError) Error() string { return e.url + " names no file" }

func fetch(ctx context.Context, app *face.App, address string, opts fetchOptions) (err error) {
	started := time.Now()
	for _, seed := range opts.seeds {
		if _, err := os.Stat(seed); err != nil {
			return face.Usage(errors.Join(err))
		}
	}
	src, err := Open(ctx, app, address, opts.Options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	path, err := outputPath(opts.output, src)
	if err != nil {
		return err
	}
	if path, err = image.Place(path, opts.force); err != nil {
		return err
	}
	sum, err := src.Sum(ctx, opts.sha256)
	if err != nil {
		return err
	}
	signed, err := src.Signed(ctx, opts.key)
	if err != nil {
		return err
	}
	got, err := src.Download(ctx, Want{
		Path:   path,
		Sum:    sum,
		Any:    opts.force,
		Signed: signed,
		Seeds:  opts.seeds,
		Found:  Seeds(path),
	})
	if err != nil {
		return err
	}
	if err := image.OpenCatalog(face.CacheFolder()).AddForeign(path); err != nil {
		app.Console.Warn(err.Error()) // a help for the next one, not more
	}
	renewSum(ctx, app, path, got.SHA256)
	done := report.Download{
		URL:        src.URL,
		Size:       src.Size,
		SHA256:     got.SHA256,
		Downloaded: src.Received.Load(),
		Saved:      got.Saved + got.Kept,
		Trust:      report.TrustIn(got.Signer, sum, src.Secure),
		Seconds:    time.Since(started).Seconds(),
		Place:      path,
	}
	if done.File, err = filepath.Abs(path); err != nil {
		return err
	}
	app.Console.Line(done.Summary())
	return app.Print(done, opts.json)
}

// renewSum writes the checksum beside an image anew, if there is one, and it is of another image: that
// which was in the place of the one that was downloaded. Where it cannot be, that is said.
func renewSum(ctx context.Context, app *face.App, path, sum string) {
	file, err := imagefile.Open(path)
	if err != nil {
		return // it was downloaded all the same
	}
	defer file.Close()
	beside, err := file.FindSum()
	if err != nil || beside == nil || beside.Algorithm != imagefile.SHA256 || beside.OfImage || beside.Sum == sum {
		return
	}
	own := beside.Source == imagefile.SumsName(path)
	if own {
		own, err = imagefile.SumsOnlyOf(path)
	}
	if own && err == nil {
		err = face.WriteFile(ctx, beside.Source, func(w io.Writer) error {
			_, err := io.WriteString(w, imagefile.SumLine(sum, filepath.Base(path)))
			return err
		})
		if err == nil {
			app.Console.Line(beside.Source + " was of another image, and has the sum of this one now")
			return
		}
	}
	app.Console.Warn(beside.Source + " is of another image than the one that is there now: fetch it, too, or remove it")
}

// Seeds are files that may have something of an image that goes to a path: the one that is to be
// replaced, and those that were built or fetched here.
func Seeds(path string) []string {
	return append([]string{path}, image.OpenCatalog(face.CacheFolder()).All()...)
}

// outputPath is the file that -o means.
func outputPath(output string, src *Remote) (string, error) {
	path := image.OutputPath(output, src.Name())
	if src.Name() == "" && path != output {
		return "", &namelessError{src.URL}
	}
	return path, nil
}
