package create

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/wire"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/web"
)

// Where iso looks for what has been packed before.
const (
	reuseAuto = "auto"
	reuseNone = "none"
)

// openReuse finds out before any work whether a named image is there. What it returns beside is to be
// closed at the end.
func (v verbs) openReuse(ctx context.Context, text string, opts wire.Options) (build.Reuse, io.Closer, error) {
	if !web.Is(text) {
		reuse, err := parseReuse(text)
		return reuse, io.NopCloser(nil), err
	}
	src, err := wire.Open(ctx, v.App, text, opts)
	if err != nil {
		return build.Reuse{}, nil, err
	}
	return build.Reuse{Path: src.URL, Remote: func(context.Context) (image.Remote, error) { return src.Part() }}, src, nil
}

// parseReuse is openReuse of what is here.
func parseReuse(text string) (build.Reuse, error) {
	switch text {
	case reuseAuto:
		return build.Reuse{}, nil
	case reuseNone:
		return build.Reuse{None: true}, nil
	}
	info, err := os.Stat(text)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", text)
	}
	if err != nil {
		return build.Reuse{}, face.Usage(fmt.Errorf("--reuse: %w", err))
	}
	return build.Reuse{Path: text}, nil
}
