package look

import (
	"context"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/difference"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/verify"
)

// Image is one that is compared.
type Image struct {
	Name string // what it is called
	Far  bool   // it is on a server: its bytes are not compared
	*medium.Medium
}

// Compare finds out what differs between two images, as the verb diff does, and says what it is at.
func Compare(ctx context.Context, app *face.App, a, b Image) (*report.Difference, error) {
	sides := make([]*difference.Side, 2)
	for n, of := range []Image{a, b} {
		var err error
		if sides[n], err = readSide(ctx, app, of); err != nil {
			return nil, err
		}
	}
	result := report.NewDifference(sides[0], sides[1])
	if a.Far || b.Far {
		return result, nil
	}
	return result, compareBytes(ctx, app, result, a.Medium, b.Medium)
}

// readSide reads what is compared of an image.
func readSide(ctx context.Context, app *face.App, of Image) (*difference.Side, error) {
	task := progress.Begin(app.Console, "reading", of.Name)
	side, err := difference.ReadImage(ctx, of.Name, of.Medium)
	if err != nil {
		task.Fail(err, nil)
		return nil, err
	}
	task.End(nil)
	return side, nil
}

// compareBytes holds two images against each other byte by byte, if nothing else differs.
func compareBytes(ctx context.Context, app *face.App, result *report.Difference, x, y *medium.Medium) error {
	if !result.Equal {
		return nil
	}
	if verify.ImageSize(x) != verify.ImageSize(y) {
		result.Compared(false)
		return nil
	}
	task := progress.Begin(app.Console, "comparing", "byte by byte")
	same, err := verify.Same(ctx, x, y, task.Bytes)
	if err != nil {
		task.Fail(err, nil)
		return err
	}
	task.End(nil)
	result.Compared(same)
	return nil
}
