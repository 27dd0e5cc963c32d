package machine

import (
	"context"
	"errors"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/report"
)

// Tester tries the image of a configuration before it is put in its place.
type Tester struct {
	verbs
	test *Boots
	ways []way
}

// NewTester finds out before the build whether the image can be tried.
func NewTester(ctx context.Context, app *face.App, b *build.Build, t *Boots) (*Tester, error) {
	v := verbs{app}
	ways, err := v.waysOf(ctx, b, t, planned(b.Plan()))
	return &Tester{v, t, ways}, err
}

// Boot tries the image that is to become a file. The error is a *report.NotBootedError if it does not
// come up.
func (t *Tester) Boot(ctx context.Context, out *image.Output, path string) (boots []report.Boot, err error) {
	m, err := t.NewMedium(ctx, out, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	boots, err = t.bootAll(ctx, t.test, t.ways, m, t.Teller(true))
	if err != nil {
		return nil, err
	}
	return boots, failure(boots)
}
