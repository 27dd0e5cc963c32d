package request

import (
	"context"
	"errors"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/report"
)

// PrintPlan prints what would be made of configurations, and builds nothing.
func (o *Options) PrintPlan(ctx context.Context, a *face.App, of []installable.Installable, images image.Options) (err error) {
	b, err := o.Build(ctx, a, of, images)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.Evaluate(ctx); err != nil {
		return err
	}
	missing, err := b.Missing(ctx)
	known := err == nil
	if err != nil {
		var failed *nix.Error
		if ctx.Err() != nil || !errors.As(err, &failed) {
			return err
		}
		// The plan is worth having where Nix cannot tell, offline for one.
		a.Console.Warn("what is to be built is not known: " + failed.Message)
	}
	builders := map[string]nix.BuildsBy{}
	for _, sys := range b.Plan().Systems() {
		if builders[sys.BuildPlatform], err = b.Builder(ctx, sys.BuildPlatform); err != nil {
			return err
		}
	}
	result := report.NewPlan(b.Plan(), missing, builders)
	if known && len(of) > 1 && len(missing.Build)+len(missing.Fetch)+len(missing.Unknown) == 0 {
		closure, err := b.Closure(ctx)
		if err != nil {
			return err
		}
		result.AddShares(b.Plan().Shares(closure))
	}
	costs, err := b.InstallCosts(ctx, known && len(missing.Build)+len(missing.Fetch)+len(missing.Unknown) == 0)
	if err != nil {
		return err
	}
	result.AddInstalls(costs)
	return a.Print(result, o.JSON)
}
