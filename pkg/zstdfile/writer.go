// Package zstdfile compresses a file with zstd while it is written, by several
// workers, although parts at its front are known last.
//
// The content is cut into pieces, each of which becomes a frame of its own, so that
// they can be compressed side by side; a decoder reads frames one after the other
// as one content (RFC 8878 §3). A part that is known late has a frame of its own,
// too. The room that it can need at most is left free, and what it does not need
// is filled with a skippable frame (§3.1.2), which decoders pass over:
//
//	frame of a late part | skippable frame | frame | frame | … | frame
//
// The bytes depend on the content and the late parts alone, not on the number of
// workers or the sizes of the writes.
package zstdfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// frameSize is the content of a frame in bytes, and the window that decoders need
// for it. Their default limit is 8 MiB at least (RFC 8878 §3.1.1.1.2).
const frameSize = 4 << 20

const (
	skippableMagic  = 0x184D2A50 // RFC 8878 §3.1.2; the last digit is free
	skippableHeader = 8          // magic and size
)

// Part is a part of the content: bytes from Offset on.
type Part struct {
	Offset, Size int64
}

func (p Part) end() int64 { return p.Offset + p.Size }

// Writer compresses what is written to it. It is an io.WriterAt, but for a content
// that comes in order: each byte follows the one before. Only late parts may be
// written at any time, in one piece each; who writes in order passes over them.
type Writer struct {
	w       io.WriterAt
	encoder *zstd.Encoder
	late    []latePart // sorted
	next    int        // the late part that comes next
	pos     int64      // of the content that comes next
	buffer  []byte     // content of the frame being filled

	frames  chan *frame // in order
	pool    chan *frame
	group   errgroup.Group
	stopped chan struct{} // closed when the frames are no longer taken
	failed  error         // why, before that
	size    int64         // of the file, after the frames are written
}

type latePart struct {
	Part
	content []byte
	room    int64 // in the file
	place   int64 // there
}

// frame is a piece of the file.
type frame struct {
	content []byte
	done    chan []byte // the compressed content
	late    *latePart   // instead
}

// NewWriter returns a writer to w, which must not be used by others before Finish.
// The workers are the compressors at work; 0 stands for one for each processor.
func NewWriter(w io.WriterAt, late []Part, workers int) (*Writer, error) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedDefault), // about 3, the default of the zstd program
		zstd.WithWindowSize(frameSize),
		zstd.WithZeroFrames(true), // a file without content has a frame, too
		zstd.WithEncoderConcurrency(workers))
	if err != nil {
		return nil, fmt.Errorf("making a zstd encoder: %w", err)
	}
	z := &Writer{
		w:       w,
		encoder: encoder,
		frames:  make(chan *frame, 2*workers),
		pool:    make(chan *frame),
		stopped: make(chan struct{}),
	}
	for _, part := range late {
		if part.Size <= 0 || part.Offset < 0 {
			return nil, fmt.Errorf("part of %d bytes at %d cannot be late", part.Size, part.Offset)
		}
		z.late = append(z.late, latePart{Part: part, room: int64(encoder.MaxEncodedSize(int(part.Size))) + skippableHeader})
	}
	slices.SortFunc(z.late, func(a, b latePart) int { return cmp.Compare(a.Offset, b.Offset) })
	for i := 1; i < len(z.late); i++ {
		if z.late[i].Offset < z.late[i-1].end() {
			return nil, fmt.Errorf("late parts overlap at %d", z.late[i].Offset)
		}
	}
	for range workers {
		z.group.Go(func() error {
			for f := range z.pool {
				f.done <- encoder.EncodeAll(f.content, nil)
			}
			return nil
		})
	}
	z.group.Go(z.writeFrames)
	return z, nil
}

// WriteAt takes content. An error of the file that it goes to may come later, at the
// latest from Finish.
func (z *Writer) WriteAt(p []byte, offset int64) (int, error) {
	for i := range z.late {
		part := &z.late[i]
		if offset != part.Offset {
			continue
		}
		if int64(len(p)) != part.Size {
			return 0, fmt.Errorf("writing %d bytes at %d, where a late part has %d", len(p), offset, part.Size)
		}
		part.content = bytes.Clone(p)
		return len(p), nil
	}
	if err := z.passLate(); err != nil {
		return 0, err
	}
	if offset != z.pos {
		return 0, fmt.Errorf("writing at %d, where %d comes next", offset, z.pos)
	}
	written := 0
	for written < len(p) {
		room := frameSize - len(z.buffer)
		if z.next < len(z.late) {
			room = int(min(int64(room), z.late[z.next].Offset-z.pos))
		}
		if room == 0 && len(z.buffer) == 0 {
			return written, fmt.Errorf("writing at %d, where a late part is", z.pos)
		}
		n := min(room, len(p)-written)
		z.buffer = append(z.buffer, p[written:written+n]...)
		written += n
		z.pos += int64(n)
		if n == room {
			if err := z.endFrame(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// passLate leaves room for the late parts that come next.
func (z *Writer) passLate() error {
	for z.next < len(z.late) && z.late[z.next].Offset == z.pos {
		part := &z.late[z.next]
		if err := z.send(&frame{late: part}); err != nil {
			return err
		}
		z.pos = part.end()
		z.next++
	}
	return nil
}

// endFrame hands on the content so far.
func (z *Writer) endFrame() error {
	f := &frame{content: z.buffer, done: make(chan []byte, 1)}
	z.buffer = make([]byte, 0, frameSize)
	if err := z.send(f); err != nil {
		return err
	}
	z.pool <- f
	return nil
}

func (z *Writer) send(f *frame) error {
	select {
	case z.frames <- f:
		return nil
	case <-z.stopped:
		return z.failed
	}
}

// writeFrames writes the frames in order and leaves out the late ones.
func (z *Writer) writeFrames() error {
	defer close(z.stopped)
	for f := range z.frames {
		if f.late != nil {
			f.late.place = z.size
			z.size += f.late.room
			continue
		}
		compressed := <-f.done
		if _, err := z.w.WriteAt(compressed, z.size); err != nil {
			z.failed = err
			return err
		}
		z.size += int64(len(compressed))
	}
	return nil
}

// Finish ends the content and writes the late parts. It returns the size of the
// file in bytes. Whether it fails or not, nothing of the writer is left at work.
func (z *Writer) Finish() (int64, error) {
	err := z.passLate()
	if len(z.buffer) > 0 || z.pos == 0 {
		err = errors.Join(err, z.endFrame())
	}
	close(z.frames)
	close(z.pool)
	if failed := z.group.Wait(); failed != nil {
		err = failed
	}
	if err != nil {
		return 0, err
	}
	if z.next < len(z.late) {
		return 0, fmt.Errorf("the content ends at %d, before a late part", z.pos)
	}
	for _, part := range z.late {
		if part.content == nil {
			return 0, fmt.Errorf("the late part at %d was not written", part.Offset)
		}
		if _, err := z.w.WriteAt(z.fill(part), part.place); err != nil {
			return 0, err
		}
	}
	return z.size, nil
}

// fill returns the frame of a late part and a skippable one, which take its room.
func (z *Writer) fill(part latePart) []byte {
	b := z.encoder.EncodeAll(part.content, make([]byte, 0, part.room))
	rest := int(part.room) - len(b) - skippableHeader
	b = binary.LittleEndian.AppendUint32(b, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(rest))
	return append(b, make([]byte, rest)...)
}
