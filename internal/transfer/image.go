package transfer

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/web"
)

// Unindexed is the fact that an image is downloaded as a whole.
type Unindexed struct {
	URL    string `json:"url"`
	Reason string `json:"reason"`
}

// Planned is the fact of what is going to be downloaded.
type Planned struct {
	URL   string `json:"url"`
	Size  int64  `json:"size"`  // of the image, in bytes
	Fetch int64  `json:"fetch"` // over the wire
	Saved int64  `json:"saved"` // from images that are here
}

// errNoRanges is why an image is downloaded as a whole.
var errNoRanges = errors.New("the server gives no parts of it")

// Image brings an image to a file: what no seed has by its index, or all of it where there is no
// index, or the server gives no parts. Seeds are looked for when it is certain that they are of use.
func Image(ctx context.Context, p *Partial, src *web.File, seeds func(context.Context) []Seed, sink progress.Sink) (Result, error) {
	target, err := readIndex(src)
	if err != nil {
		if err := interrupted(ctx, err); err != nil {
			return Result{}, err
		}
		progress.Note(sink, Unindexed{src.URL, err.Error()})
		task := progress.Begin(sink, "downloading", src.URL)
		result, err := Plain(ctx, p, src, moved(task))
		return end(task, result, err)
	}
	// What an older try left of it is pieces now.
	if err := p.forget(); err != nil {
		return Result{}, err
	}
	plan := NewPlan(target, seeds(ctx))
	progress.Note(sink, Planned{src.URL, plan.Size, plan.Fetch, plan.Saved})
	if err := p.Reserve(plan.Size); err != nil {
		return Result{}, err
	}
	task := progress.Begin(sink, "downloading", src.URL)
	result, err := plan.Write(ctx, p, src, Options{Begun: p.Begun, Progress: moved(task)})
	return end(task, result, p.full(plan.Size, err))
}

// Fetched is the fact that an image was downloaded.
type Fetched struct {
	Fetched int64 `json:"fetched"` // bytes of the image over the wire
	Saved   int64 `json:"saved"`   // bytes that were here
}

func end(task *progress.Task, r Result, err error) (Result, error) {
	if err != nil {
		task.Fail(err, nil)
		return r, err
	}
	task.End(Fetched{r.Fetched, r.Saved + r.Kept})
	return r, nil
}

// moved tells of a task how far it is: what came over the wire, of how much, and what did not have
// to.
func moved(task *progress.Task) func(Progress) {
	return func(p Progress) {
		task.Moved("", progress.Count{Of: progress.Downloads, Done: p.Fetched, Total: p.Fetch}, progress.Count{Of: progress.Bytes, Done: p.Fetched + p.Saved, Total: p.Total})
	}
}

// readIndex reads the index of the image. The error says why there is none.
func readIndex(src *web.File) (*index.Index, error) {
	if !src.Ranges {
		return nil, errNoRanges
	}
	x, err := index.Read(src, src.Size)
	if err == nil && x.Size != src.Size {
		return nil, index.ErrNone // of another image, which is longer or shorter
	}
	return x, err
}

// interrupted returns an error that is none of the index, but of reading it.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if web.Failed(err) {
		return err
	}
	return nil
}

// OpenSeed makes a seed of an image that somebody has opened.
func OpenSeed(ctx context.Context, name string, r io.ReaderAt, size int64) (Seed, error) {
	x, err := index.Survey(ctx, r, size)
	return Seed{name, r, x}, err
}

// OpenSeedFile opens the image in a file as a seed. What is opened is to be closed after it.
func OpenSeedFile(ctx context.Context, path string) (Seed, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return Seed{}, nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return Seed{}, nil, errors.Join(err, f.Close())
	}
	s, err := OpenSeed(ctx, path, f, size)
	if err != nil {
		return Seed{}, nil, errors.Join(err, f.Close())
	}
	return s, f, nil
}
