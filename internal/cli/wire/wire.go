// Package wire is the verb that downloads images, and what other verbs need to take one from a web
// server.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/jdx/go-netrc"
	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/transfer"
	"github.com/livebuild/livebuild/internal/web"
)

// Options are the flags of whatever reads from web servers.
type Options struct {
	headers []string
}

// AboutServers is the heading of the flags.
const AboutServers = "From a web server"

// AddFlags adds the flags.
func (o *Options) AddFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.headers, "header", nil, "send the `HEADER` \"Name: value\" to the server of the URL, and to no other that it sends on to")
}

// web are the options as the package of that name has them, with what the environment says.
func (o *Options) web(received func(int)) (web.Options, error) {
	header := http.Header{}
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, ":")
		value = strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n()<>@,;\\\"/[]?={}") || strings.ContainsAny(value, "\r\n") {
			return web.Options{}, face.Usage(fmt.Errorf("--header needs \"Name: value\", not %q", h))
		}
		header.Add(textproto.CanonicalMIMEHeaderKey(name), value)
	}
	passwords, err := readNetrc()
	return web.Options{
		Header:    header,
		Password:  passwords,
		Proxy:     http.ProxyFromEnvironment,
		UserAgent: "livebuild",
		Received:  received,
	}, err
}

// netrcError says that there is a netrc that cannot be used.
type netrcError struct {
	path string
	err  error
}

func (e *netrcError) Error() string { return fmt.Sprintf("reading %s: %v", e.path, e.err) }
func (e *netrcError) Unwrap() error { return e.err }

// readNetrc reads the file in which passwords for servers are kept (netrc(5)), if there is one.
func readNetrc() (func(host string) (user, password string, ok bool), error) {
	file := os.Getenv("NETRC")
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, nil // nobody's
		}
		file = filepath.Join(home, ".netrc")
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &netrcError{file, err}
	}
	parsed, err := netrc.ParseString(string(text))
	if err != nil {
		return nil, &netrcError{file, err}
	}
	return func(host string) (string, string, bool) {
		m := parsed.Machine(host)
		if m == nil {
			return "", "", false
		}
		return m.Get("login"), m.Get("password"), m.Get("login") != "" || m.Get("password") != ""
	}, nil
}

// Remote is an image on a web server.
type Remote struct {
	*web.File
	Received *atomic.Int64 // bytes that came over the wire

	app     *face.App
	address string
	options web.Options
}

// Open finds out what is at a URL.
func Open(ctx context.Context, app *face.App, address string, opts Options) (*Remote, error) {
	r := &Remote{Received: &atomic.Int64{}, app: app, address: address}
	var err error
	if r.options, err = opts.web(func(n int) { r.Received.Add(int64(n)) }); err != nil {
		return nil, err
	}
	r.File, err = web.Open(ctx, address, r.options)
	if address, ok := errors.AsType[*web.AddressError](err); ok {
		return nil, face.Usage(address)
	}
	return r, err
}

// ImageSize is how large the image is, as far as that is known: that of a file that is compressed is
// not, and 0.
func (r *Remote) ImageSize() int64 {
	switch path.Ext(r.Name()) {
	case ".gz", ".zst", ".xz":
		return 0
	}
	return r.Size
}

// Sum is the checksum of the image: the one that a user gives, or the one that is in a file beside it
// on the server. It is nil if there is none.
func (r *Remote) Sum(ctx context.Context, given string) (*imagefile.Checksum, error) {
	if given != "" {
		sum, err := imagefile.ParseSum(given, "--sha256")
		if err != nil {
			return nil, face.Usage(err)
		}
		return sum, nil
	}
	if r.Name() == "" {
		return nil, nil
	}
	for _, beside := range []struct {
		name string
		own  bool
	}{{r.Name() + ".sha256", true}, {"SHA256SUMS", false}} {
		text, at, err := r.beside(ctx, beside.name)
		if err != nil {
			return nil, err
		}
		if text == nil {
			continue
		}
		sum, err := imagefile.SumFor(text, at, r.Name(), beside.own)
		if sum != nil || err != nil {
			return sum, err
		}
	}
	return nil, nil
}

// beside reads a small file that lies beside the image on the server, and says how people may see its
// URL. The text is nil if there is none.
func (r *Remote) beside(ctx context.Context, name string) (text []byte, at string, err error) {
	u, err := url.Parse(r.address)
	if err != nil {
		return nil, "", err
	}
	u.Path, u.RawPath = path.Join(path.Dir(u.Path), name), ""
	text, err = web.Get(ctx, u.String(), maxBeside, r.options)
	if status, ok := errors.AsType[*web.StatusError](err); ok && status.Code < http.StatusInternalServerError {
		return nil, "", nil // not there, or not for everybody
	}
	if err != nil || strings.HasPrefix(http.DetectContentType(text), "text/html") { // a page that says so
		return nil, "", err
	}
	u.User, u.RawQuery = nil, ""
	return text, u.String(), nil
}

// maxBeside bounds a file of checksums, or a signature, in bytes.
const maxBeside = 1 << 20

// Want says what a download is to be.
type Want struct {
	Path   string              // of the file that it becomes
	Sum    *imagefile.Checksum // that it must have, or nil
	Any    bool                // whatever it holds
	Signed Signed              // by whom it must be signed, or by anybody
	Seeds  []string            // images in files; those that are no images are an error
	Found  []string            // files that may be images
	Disks  []transfer.Seed
}

// Got is what was downloaded.
type Got struct {
	transfer.Result
	SHA256 string // of the file
	Signer string // whose signature it has, if one was wanted
}

// Download downloads the image to a file, and checks it: the file appears when it is right.
func (r *Remote) Download(ctx context.Context, want Want) (got Got, err error) {
	partial, err := transfer.OpenPartial(want.Path)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, closed(partial.Close())) }()
	var open []io.Closer
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	var seedErr error
	seeds := func(ctx context.Context) []transfer.Seed {
		var list []transfer.Seed
		for i, file := range append(want.Seeds, want.Found...) {
			seed, c, err := transfer.OpenSeedFile(ctx, file)
			if err != nil {
				if i < len(want.Seeds) && seedErr == nil {
					seedErr = &seedError{file, err}
				}
				continue
			}
			open = append(open, c)
			list = append(list, seed)
		}
		return append(want.Disks, list...)
	}
	got.Result, err = transfer.Image(ctx, partial, r.File, seeds, r.app.Console)
	if seedErr != nil {
		progress.Warn(r.app.Console, seedErr)
	}
	if err != nil {
		return got, err
	}
	// It is read back while the disk takes it.
	synced := make(chan error, 1)
	go func() { synced <- partial.Sync() }()
	if got.SHA256, err = r.check(ctx, partial, want); err == nil {
		got.Signer, err = want.Signed.check(ctx, r.app, partial, want.Path)
	}
	if failed := <-synced; err == nil && failed != nil {
		return got, failed
	}
	if err != nil {
		if ctx.Err() == nil { // nothing of it is of use
			err = errors.Join(err, partial.Remove())
		}
		return got, err
	}
	return got, partial.Commit()
}

// seedError says that nothing can be taken from a file.
type seedError struct {
	path string
	err  error
}

func (e *seedError) Error() string { return fmt.Sprintf("--seed %s is of no use: %v", e.path, e.err) }

// closed takes the error of closing what may be closed already.
func closed(err error) error {
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

// check reads back what was downloaded, and returns its SHA-256.
func (r *Remote) check(ctx context.Context, partial *transfer.Partial, want Want) (string, error) {
	file, err := imagefile.Open(partial.Name())
	if err != nil {
		return "", err
	}
	defer file.Close()
	checks := imagefile.CheckOptions{Sum: want.Sum, Any: want.Any}
	facts, err := r.app.CheckImage(ctx, file, checks)
	if err != nil {
		return "", err
	}
	if want.Sum != nil && want.Sum.Algorithm == imagefile.SHA256 {
		if facts.Stored != "" {
			return facts.Stored, nil
		}
		return facts.Sum, nil
	}
	task := progress.Begin(r.app.Console, "reading back", filepath.Base(want.Path))
	done := int64(0)
	sum, err := partial.Sum(ctx, func(n int) {
		done += int64(n)
		task.Bytes(done, r.Size)
	})
	if err != nil {
		task.Fail(err, nil)
		return "", err
	}
	task.End(nil)
	return sum, nil
}

// part is an image of which pieces are brought into a file without a name.
type part struct {
	*transfer.Part
	scratch *image.Output
}

func (p part) Close() error { return errors.Join(p.Part.Close(), p.scratch.Abort()) }

// errWhole says that nothing can be taken from an image by itself.
var errWhole = errors.New("the server gives no parts of it")

// Part returns the image as one to pack from, of which nothing is here yet.
func (r *Remote) Part() (image.Remote, error) {
	if !r.Ranges {
		return nil, &image.UnfitError{Path: r.URL, Err: errWhole}
	}
	scratch, err := image.CreateScratch(face.CacheFolder())
	if err != nil {
		return nil, err
	}
	return part{transfer.NewPart(r.File, r.Size, scratch), scratch}, nil
}
