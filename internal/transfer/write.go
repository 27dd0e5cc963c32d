package transfer

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/progress"
)

const (
	// runMax bounds what is asked for at once, unless a piece is larger: what a broken connection
	// costs, and how well several of them share the work.
	runMax = 8 << 20
	// gapMax is what is rather downloaded in vain than asked around.
	gapMax = 16 << 10

	copyBuffer = 1 << 20
)

// writer carries a plan out.
type writer struct {
	plan    *Plan
	file    File
	options Options

	mu     sync.Mutex
	result Result
}

// Write puts the image together in a file, which is zero where nothing was written yet. The error
// is one of the source, of writing, or a [*CorruptError].
func (p *Plan) Write(ctx context.Context, file File, from Source, opts Options) (Result, error) {
	if opts.Streams <= 0 {
		opts.Streams = 4
	}
	if opts.Arrived == nil {
		opts.Arrived = func(index.Piece) {}
	}
	if opts.Progress == nil {
		opts.Progress = func(Progress) {}
	}
	w := &writer{plan: p, file: file, options: opts}
	var local, wire []step
	for _, s := range p.steps {
		if s.seed == overTheWire {
			wire = append(wire, s)
		} else {
			local = append(local, s)
		}
	}
	if opts.Begun {
		if err := w.clearGaps(ctx); err != nil {
			return w.result, err
		}
	}
	var missed []step // that seeds do not have after all
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		missed, err = w.take(inner, local)
		return err
	})
	group.Go(func() error { return w.fetch(inner, from, wire) })
	if err := group.Wait(); err != nil {
		return w.result, err
	}
	return w.result, w.fetch(ctx, from, missed)
}

// count notes bytes of the image that are in place.
func (w *writer) count(change func(*Result)) {
	w.mu.Lock()
	change(&w.result)
	r := w.result
	w.mu.Unlock()
	w.options.Progress(Progress{Fetched: r.Fetched, Fetch: max(w.plan.Fetch, r.Fetched), Saved: r.Saved + r.Kept, Total: w.plan.Size})
}

// has says whether the file has a piece already.
func (w *writer) has(ctx context.Context, p index.Piece) bool {
	if !w.options.Begun || p.Loose || !index.Holds(ctx, w.file, p) {
		return false
	}
	w.count(func(r *Result) { r.Kept += p.Size })
	w.options.Arrived(p)
	return true
}

// clearGaps makes zeros of what a begun file has between the pieces.
func (w *writer) clearGaps(ctx context.Context) error {
	at := int64(0)
	zero := make([]byte, copyBuffer)
	clear := func(end int64) error {
		for at < end {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			n := min(end-at, copyBuffer)
			if _, err := w.file.WriteAt(zero[:n], at); err != nil {
				return err
			}
			at += n
		}
		return nil
	}
	for _, s := range w.plan.steps {
		if err := clear(s.Offset); err != nil {
			return err
		}
		at = s.End()
	}
	return clear(w.plan.Size)
}

// take copies pieces from seeds, and returns those that are not what they should be.
func (w *writer) take(ctx context.Context, steps []step) (missed []step, err error) {
	buffer := make([]byte, copyBuffer)
	for _, s := range steps {
		if w.has(ctx, s.Piece) {
			continue
		}
		seed := progress.NewReader(ctx, io.NewSectionReader(w.plan.seeds[s.seed], s.at, s.Size), nil)
		to := &pieceWriter{file: w.file, piece: s.Piece}
		_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{seed}, buffer)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case to.err != nil:
			return nil, to.err
		case err != nil || !to.whole(): // a seed that cannot be read is none
			missed = append(missed, s)
			w.count(func(r *Result) { r.Damaged += s.Size })
		default:
			w.count(func(r *Result) { r.Saved += s.Size })
			w.options.Arrived(s.Piece)
		}
	}
	return missed, nil
}

// pieceWriter writes a piece, and makes its sum. That what is written is what is read back later is
// the business of whoever reads it.
type pieceWriter struct {
	file  File
	piece index.Piece
	done  int64
	hash  hash.Hash
	err   error // of writing
}

func (p *pieceWriter) Write(b []byte) (int, error) {
	if p.hash == nil {
		p.hash = sha256.New()
	}
	n, err := p.file.WriteAt(b, p.piece.Offset+p.done)
	p.hash.Write(b[:n])
	p.done += int64(n)
	p.err = err
	return n, err
}

// whole says whether the piece is written, and right.
func (p *pieceWriter) whole() bool {
	return p.hash != nil && p.done == p.piece.Size && (p.piece.Loose || [sha256.Size]byte(p.hash.Sum(nil)) == p.piece.Sum)
}

// fetch downloads pieces, several at a time. What comes wrong is asked for once again: a cache on
// the way may have had an older image.
func (w *writer) fetch(ctx context.Context, from Source, steps []step) error {
	var wanted []step
	for _, s := range steps {
		if !w.has(ctx, s.Piece) {
			wanted = append(wanted, s)
		}
	}
	wrong, err := w.fetchRuns(ctx, from, wanted)
	if err != nil || len(wrong) == 0 {
		return err
	}
	if wrong, err = w.fetchRuns(ctx, from, wrong); err == nil && len(wrong) > 0 {
		err = &CorruptError{wrong[0].Offset, wrong[0].Size}
	}
	return err
}

// fetchRuns downloads pieces and returns those that came wrong.
func (w *writer) fetchRuns(ctx context.Context, from Source, steps []step) (wrong []step, err error) {
	var mu sync.Mutex
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(w.options.Streams)
	for _, run := range runs(steps) {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			to := &runWriter{w: w, steps: run, at: run[0].Offset}
			size := run[len(run)-1].End() - run[0].Offset
			err := from.Fetch(inner, run[0].Offset, size, to)
			mu.Lock()
			defer mu.Unlock()
			wrong = append(wrong, to.wrong...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return wrong, context.Cause(ctx)
}

// runs puts steps that are near each other together.
func runs(steps []step) (list [][]step) {
	for i, s := range steps {
		if last := len(list) - 1; i > 0 && s.Offset-steps[i-1].End() <= gapMax && s.Offset >= steps[i-1].End() && s.End()-list[last][0].Offset <= runMax {
			list[last] = append(list[last], s)
			continue
		}
		list = append(list, []step{s})
	}
	return list
}

// runWriter takes what comes of a run.
type runWriter struct {
	w       *writer
	steps   []step // that are not finished
	at      int64  // in the image
	current *pieceWriter
	wrong   []step
}

func (r *runWriter) Write(b []byte) (n int, err error) {
	for n < len(b) && len(r.steps) > 0 {
		s := r.steps[0]
		if r.at < s.Offset { // between pieces
			skip := int(min(s.Offset-r.at, int64(len(b)-n)))
			n, r.at = n+skip, r.at+int64(skip)
			continue
		}
		if r.current == nil {
			r.current = &pieceWriter{file: r.w.file, piece: s.Piece}
		}
		m, err := r.current.Write(b[n : n+int(min(s.End()-r.at, int64(len(b)-n)))])
		n, r.at = n+m, r.at+int64(m)
		if err != nil {
			return n, err
		}
		r.w.count(func(result *Result) { result.Fetched += int64(m) })
		if r.at == s.End() {
			if r.current.whole() {
				r.w.options.Arrived(s.Piece)
			} else {
				r.wrong = append(r.wrong, s)
			}
			r.steps, r.current = r.steps[1:], nil
		}
	}
	return n, nil
}
