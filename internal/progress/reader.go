package progress

import (
	"context"
	"io"
)

// NewReader returns a reader of r that fails as soon as the context has ended, and
// tells a function, if there is one, how many bytes each reading gave.
func NewReader(ctx context.Context, r io.Reader, read func(n int)) io.Reader {
	return &reader{ctx, r, read}
}

type reader struct {
	ctx  context.Context
	r    io.Reader
	read func(n int)
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	n, err := r.r.Read(p)
	if r.read != nil {
		r.read(n)
	}
	return n, err
}
