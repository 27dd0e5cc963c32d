package hybridiso

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	copyBuffer = 1 << 20

	// maxBootProgram bounds the file that is read whole for its checksum.
	maxBootProgram = 16 << 20
)

// StreamFunc writes the stream at offset 0 and up of w, in any order, and
// returns its size. w has a method Outer() (io.WriterAt, int64) that tells what
// it is a part of. It leaves no byte of it unwritten unless the medium is
// known to hold zeros.
type StreamFunc func(ctx context.Context, w io.WriterAt) (size int64, err error)

// Result says what was written.
type Result struct {
	Size         int64 // of the image, in bytes
	StreamOffset int64
	StreamSize   int64
}

// Write writes the image to w, which is a file or a disk: the ordinary files,
// then the stream, then what lies behind it, and the head at last. Each byte of
// the image is written once, padding too. After an error, and until the head
// is written, w holds no volume, unless it held one before.
//
// The function stream is called once if a file is a stream; otherwise it may
// be nil.
func (l *Layout) Write(ctx context.Context, w io.WriterAt, stream StreamFunc) (Result, error) {
	if err := l.writeOrdinary(ctx, w); err != nil {
		return Result{}, fmt.Errorf("writing image: %w", err)
	}
	size, err := l.writeStream(ctx, w, stream)
	if err != nil {
		return Result{}, fmt.Errorf("writing image: %w", err)
	}
	g := l.geometry(size)
	if err := l.writeEnds(ctx, w, g, l.late); err != nil {
		return Result{}, err
	}
	return Result{
		Size:         g.blocks * blockSize,
		StreamOffset: g.stream.block * blockSize,
		StreamSize:   size,
	}, nil
}

// writeOrdinary writes everything between the head and the stream, or the end
// of the ordinary files if there is no stream.
func (l *Layout) writeOrdinary(ctx context.Context, w io.WriterAt) error {
	s := newSequence(ctx, w, l.dataBlock*blockSize)
	for _, n := range l.ordinary {
		if err := s.padTo(n.extent.block * blockSize); err != nil {
			return err
		}
		if err := l.writeFile(s, n); err != nil {
			return fmt.Errorf("file %q: %w", n.path, err)
		}
	}
	end := l.dataEnd
	if l.stream != nil {
		end = l.geometry(0).stream.block
	}
	if err := s.padTo(end * blockSize); err != nil {
		return err
	}
	return s.flush()
}

// writeStream has the stream written and checks its size.
func (l *Layout) writeStream(ctx context.Context, w io.WriterAt, stream StreamFunc) (int64, error) {
	if l.stream == nil {
		return 0, nil
	}
	path := l.stream.path
	if stream == nil {
		return 0, fmt.Errorf("file %q: no function to write the stream", path)
	}
	size, err := stream(ctx, &streamWriter{w, l.StreamOffset()})
	if err != nil {
		return 0, fmt.Errorf("file %q: %w", path, err)
	}
	if size < 0 || size > l.maxStream() {
		return 0, fmt.Errorf("file %q: stream has %d bytes, more than the maximum of %d", path, size, l.maxStream())
	}
	return size, nil
}

// streamWriter is where the stream goes.
type streamWriter struct {
	w      io.WriterAt
	offset int64
}

func (s *streamWriter) WriteAt(p []byte, offset int64) (int, error) {
	return s.w.WriteAt(p, s.offset+offset)
}

// Outer returns what the stream is a part of and where it begins there, as
// io.SectionReader does for reading.
func (s *streamWriter) Outer() (w io.WriterAt, offset int64) { return s.w, s.offset }

// writeTail writes everything behind the stream.
func (l *Layout) writeTail(ctx context.Context, w io.WriterAt, g geometry, late []*node) error {
	start := g.dataEnd * blockSize
	if l.stream != nil {
		start = g.stream.block*blockSize + g.stream.size
	}
	s := newSequence(ctx, w, start)
	for i, n := range late {
		content, err := l.lateContent(ctx, w, n, g)
		if err != nil {
			return fmt.Errorf("file %q: %w", n.path, err)
		}
		if err := s.padTo(g.late[i].block * blockSize); err != nil {
			return err
		}
		if _, err := s.Write(content); err != nil {
			return err
		}
	}
	if l.esp != nil {
		if err := s.padTo(g.esp.block * blockSize); err != nil {
			return err
		}
		if err := l.writeFile(s, l.esp); err != nil {
			return fmt.Errorf("file %q: %w", l.esp.path, err)
		}
	}
	if l.image.Boot.Hybrid {
		backup := l.backupGPT(g)
		if err := s.padTo(g.blocks*blockSize - int64(len(backup))); err != nil {
			return err
		}
		if _, err := s.Write(backup); err != nil {
			return err
		}
	}
	if err := s.padTo(g.blocks * blockSize); err != nil {
		return err
	}
	return s.flush()
}

// lateContent returns the content of a file that follows from the stream.
func (l *Layout) lateContent(ctx context.Context, w io.WriterAt, n *node, g geometry) ([]byte, error) {
	r, ok := w.(io.ReaderAt)
	if !ok {
		return nil, errors.New("what the image is written to cannot be read back")
	}
	content, err := n.file.Late(ctx, io.NewSectionReader(r, g.stream.block*blockSize, g.stream.size))
	if err == nil && int64(len(content)) != n.size() {
		err = fmt.Errorf("has %d bytes, expected %d", len(content), n.size())
	}
	return content, err
}

// writeFile writes the content of n, which must have the size it was laid out
// with.
func (l *Layout) writeFile(w io.Writer, n *node) (err error) {
	if n.file.Open == nil {
		return copyContent(w, bytes.NewReader(n.file.Data), l.patchOf(n), n.size())
	}
	r, err := n.file.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return copyContent(w, r, l.patchOf(n), n.size())
}

// patchOf returns what is done to the content of n, nil for most files.
func (l *Layout) patchOf(n *node) func([]byte) []byte {
	if n != l.bios {
		return nil
	}
	return func(program []byte) []byte { return withBootInformation(program, n.extent.block) }
}

// copyContent copies size bytes, which must be all there are, patched as a
// whole if patch is set.
func copyContent(w io.Writer, r io.Reader, patch func([]byte) []byte, size int64) error {
	if patch != nil {
		program, err := io.ReadAll(io.LimitReader(r, size))
		if err != nil {
			return err
		}
		if int64(len(program)) == size {
			program = patch(program)
		}
		r = io.MultiReader(bytes.NewReader(program), r)
	}
	n, err := io.CopyN(w, r, size)
	if err == io.EOF {
		return fmt.Errorf("has %d bytes, expected %d", n, size)
	}
	if err != nil {
		return err
	}
	switch extra, err := io.CopyN(io.Discard, r, 1); {
	case extra > 0:
		return fmt.Errorf("has more than the expected %d bytes", size)
	case err != io.EOF:
		return err
	}
	return nil
}

// sequence writes a run of bytes in order, in large pieces.
type sequence struct {
	ctx    context.Context
	buffer *bufio.Writer
	offset int64 // in the image
}

func newSequence(ctx context.Context, w io.WriterAt, offset int64) *sequence {
	return &sequence{ctx, bufio.NewWriterSize(io.NewOffsetWriter(w, offset), copyBuffer), offset}
}

// Write stops when the context is done.
func (s *sequence) Write(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.buffer.Write(b)
	s.offset += int64(n)
	return n, err
}

// padTo writes zeros up to offset.
func (s *sequence) padTo(offset int64) error {
	_, err := io.CopyN(s, zeros{}, offset-s.offset)
	return err
}

func (s *sequence) flush() error { return s.buffer.Flush() }

// zeros is an endless reader of zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
