package comparison

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/index"
)

// TestWriter writes an image a second time, in pieces: as it was, and otherwise.
func TestWriter(t *testing.T) {
	was := bytes.Repeat([]byte("image"), 200_000)
	for name, test := range map[string]struct {
		change func(b []byte) []byte
		leave  int   // bytes at the beginning that are not written
		at     int64 // of the first difference; -1: there is none
		err    error
		except []index.Piece
	}{
		"same":         {func(b []byte) []byte { return b }, 0, -1, nil, nil},
		"a byte":       {func(b []byte) []byte { b[700_001]++; return b }, 0, 700_001, nil, nil},
		"two bytes":    {func(b []byte) []byte { b[3]++; b[2]++; return b }, 0, 2, nil, nil},
		"shorter":      {func(b []byte) []byte { return b[:len(b)-7] }, 0, int64(len(was) - 7), nil, nil},
		"longer":       {func(b []byte) []byte { return append(b, 0) }, 0, int64(len(was)), nil, nil},
		"not compared": {func(b []byte) []byte { return b }, 9, -1, errIncomplete, nil},
		"excepted":     {func(b []byte) []byte { b[3]++; b[4]++; return b }, 0, -1, nil, []index.Piece{{Offset: 3, Size: 2}}},
		"behind that":  {func(b []byte) []byte { b[3]++; b[5]++; return b }, 0, 5, nil, []index.Piece{{Offset: 3, Size: 2}}},
		"before that":  {func(b []byte) []byte { b[2]++; b[3]++; return b }, 0, 2, nil, []index.Piece{{Offset: 3, Size: 2}}},
	} {
		again := test.change(bytes.Clone(was))
		c := &Writer{Image: Image{ReaderAt: bytes.NewReader(was), Size: int64(len(was)), Except: test.except}}
		var err error
		for at := test.leave; at < len(again) && err == nil; at += 300_000 {
			piece := again[at:min(len(again), at+300_000)]
			n, writeErr := c.WriteAt(piece, int64(at))
			if err = writeErr; n < len(piece) && err == nil {
				t.Errorf("%s: %d of %d bytes without an error", name, n, len(piece))
			}
		}
		if err == nil {
			err = c.End(int64(len(again)))
		}
		different, ok := errors.AsType[*DifferenceError](err)
		switch {
		case test.at >= 0 && (!ok || different.Offset != test.at):
			t.Errorf("%s: %v, want a difference at %d", name, err, test.at)
		case test.at < 0 && !errors.Is(err, test.err):
			t.Errorf("%s: %v, want %v", name, err, test.err)
		}
	}
	e := &DifferenceError{Offset: 7, Place: "MBR"}
	if !strings.Contains(e.Error(), "byte 7, MBR") {
		t.Error(e)
	}
}
