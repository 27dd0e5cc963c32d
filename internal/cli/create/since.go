package create

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/livebuild/livebuild/internal/cli/look"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/report"
)

// before is the image that a new one is compared with.
type before struct {
	path string // "" if there is none
	name string
}

// before is the image that the summary compares with: the one that --reuse names, else the one that is
// to be replaced, else the one that was packed from.
func (e earlier) before(replaces, from string) before {
	if e.Path != "" {
		return before{e.Path, e.Path}
	}
	if replaces != "" {
		if ours, err := medium.FileMadeHere(replaces); err == nil && ours {
			return before{replaces, "the earlier " + filepath.Base(replaces)}
		}
	}
	return before{from, from}
}

// since finds out for the summary what differs between a new image, which is to become a file at path,
// and the one before it, which may be in that place still. It is nil if there is no summary or nothing to
// compare with. That it cannot be found out is no reason to throw away a good image.
func (v verbs) since(ctx context.Context, opts isoOptions, e earlier, from string, out *image.Output, path string) (*report.Difference, error) {
	return v.compare(ctx, opts, e, e.before(out.Place(), from), filepath.Base(path), func() (*medium.File, error) {
		return v.LookIntoNew(ctx, out, path)
	})
}

// sinceOnDisk is since of an image that was written to a disk.
func (v verbs) sinceOnDisk(ctx context.Context, opts isoOptions, e earlier, from, disk string) (*report.Difference, error) {
	return v.compare(ctx, opts, e, e.before("", from), disk, func() (*medium.File, error) {
		return v.LookInto(ctx, disk)
	})
}

func (v verbs) compare(ctx context.Context, opts isoOptions, e earlier, was before, name string, open func() (*medium.File, error)) (*report.Difference, error) {
	if !opts.summary.Wanted() || was.path == "" {
		return nil, nil
	}
	d, err := v.compareWith(ctx, e, was, name, open)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		v.Console.Warn(fmt.Sprintf("the summary does not say what differs from %s: %v", was.name, err))
		return nil, nil
	}
	return d, nil
}

func (v verbs) compareWith(ctx context.Context, e earlier, was before, name string, open func() (*medium.File, error)) (d *report.Difference, err error) {
	a := look.Image{Name: was.name, Far: e.remote != nil}
	if e.remote == nil {
		m, err := v.LookInto(ctx, was.path)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
		a.Medium = m.Medium
	} else if a.Medium, err = medium.ReadAny(e.remote, e.remote.Size); err != nil {
		return nil, err
	}
	m, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return look.Compare(ctx, v.App, a, look.Image{Name: name, Medium: m.Medium})
}
