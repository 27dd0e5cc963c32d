package create

import (
	"context"
	"fmt"
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

// earlier is the image that the flag --reuse names, which is there, or is looked for.
type earlier struct {
	build.Reuse
	remote *wire.Remote // nil of one that is here
}

// openReuse finds out before any work whether a named image is there. It is closed at the end.
func (v verbs) openReuse(ctx context.Context, text string, opts wire.Options) (e earlier, err error) {
	if !web.Is(text) {
		e.Reuse, err = parseReuse(text)
		return e, err
	}
	if e.remote, err = wire.Open(ctx, v.App, text, opts); err != nil {
		return earlier{}, err
	}
	e.Path = e.remote.URL
	e.Remote = func(context.Context) (image.Remote, error) { return e.remote.Part() }
	return e, nil
}

func (e earlier) Close() error {
	if e.remote == nil {
		return nil
	}
	return e.remote.Close()
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
