package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Where iso looks for what has been packed before.
const (
	reuseAuto = "auto"
	reuseNone = "none"
)

// reuse is what becomes of an earlier image.
type reuse struct {
	catalog *image.Catalog
	earlier *image.Earlier // nil if there is none
	unfit   string         // why there is none, if that is worth a word
}

// checkReuse finds out before any work whether a named image is there.
func checkReuse(mode string) error {
	if mode == reuseAuto || mode == reuseNone {
		return nil
	}
	info, err := os.Stat(mode)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", mode)
	}
	if err != nil {
		return &usageError{fmt.Errorf("--reuse: %w", err)}
	}
	return nil
}

// openEarlier opens the image to pack from, if there is one. That nothing can
// be taken from it costs time and is no error.
func (s *session) openEarlier(ctx context.Context, mode, output string, src image.Sources, workers int) (*reuse, error) {
	r := &reuse{catalog: image.OpenCatalog(userCache())}
	path := mode
	switch mode {
	case reuseNone:
		return r, nil
	case reuseAuto:
		if path = image.ChooseEarlier(append([]string{output}, r.catalog.Paths(s.plan)...), src.Closure); path == "" {
			return r, nil
		}
	}
	reading := progress.Begin(s.app.console, "reading", path)
	var err error
	r.earlier, err = s.plan.OpenEarlier(ctx, path, src.Closure, r.catalog, workers)
	reading.End(nil)
	var unfit *image.UnfitError
	if errors.As(err, &unfit) {
		r.unfit = unfit.Error()
		return r, nil
	}
	return r, err
}

// report says how much was taken from the earlier image, and why not more.
func (r *reuse) report(c *console, packed squashfs.Summary) {
	switch {
	case r.unfit != "":
		c.line("reused nothing: " + r.unfit)
	case r.earlier == nil:
	case r.earlier.Damaged > 0:
		c.line(fmt.Sprintf("reused %s of the store image from %s; %s of it are damaged",
			percent(packed.ReusedBytes, packed.DataBytes), r.earlier.Path, size(r.earlier.Damaged)))
	default:
		c.line(fmt.Sprintf("reused %s of the store image from %s, with %s",
			percent(packed.ReusedBytes, packed.DataBytes), r.earlier.Path, count(r.earlier.Paths, "store path")))
	}
}

// remember keeps the new image in mind for the next one. It is a help, not
// more: where it cannot be done, the image is there all the same.
func (r *reuse) remember(c *console, path string, s *session, packed image.Result) {
	if s.plan.Zstd { // nothing can be taken from it
		return
	}
	if err := r.catalog.Add(path, s.plan, packed); err != nil {
		c.warn(err.Error())
	}
}
