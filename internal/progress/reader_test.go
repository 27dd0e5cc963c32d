package progress

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReader(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	total := 0
	r := NewReader(ctx, strings.NewReader("content"), func(n int) { total += n })
	if b, err := io.ReadAll(r); err != nil || string(b) != "content" || total != len(b) {
		t.Errorf("read %q, told of %d bytes, %v", b, total, err)
	}
	why := errors.New("why")
	cancel(why)
	if _, err := NewReader(ctx, strings.NewReader("content"), nil).Read(make([]byte, 1)); err != why {
		t.Errorf("after the end of the context: %v", err)
	}
}
