package create

import (
	"context"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/cli/wire"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/web"
)

// earlier is the image that the flag --reuse names, which is there, or is looked for.
type earlier struct {
	build.Reuse
	remote *wire.Remote // nil of one that is here
}

// openReuse finds out before any work whether a named image is there. It is closed at the end.
func (v verbs) openReuse(ctx context.Context, text string, opts wire.Options) (e earlier, err error) {
	if !web.Is(text) {
		e.Reuse, err = request.ParseReuse(text)
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
