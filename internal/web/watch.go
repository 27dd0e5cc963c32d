package web

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// watch ends a request that gives next to nothing for too long: one that has stopped, and one that
// drips.
type watch struct {
	came   atomic.Int64
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

func (c *client) watch(ctx context.Context, of string) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel}
	last := int64(0)
	w.timer = time.AfterFunc(c.options.Idle, func() {
		now := w.came.Load()
		if now-last < leastIdle {
			cancel(&StalledError{of, c.options.Idle})
			return
		}
		last = now
		w.timer.Reset(c.options.Idle)
	})
	return ctx, w
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// watched is the body of an answer.
type watched struct {
	io.Reader
	watch    *watch
	received func(int)
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.watch.came.Add(int64(n))
	r.received(n)
	return n, err
}
