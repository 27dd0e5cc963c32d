// Package trial finds out what compressions make of a store: size, time, memory,
// and how fast files are read back.
package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Trials pack a store several times, to find out what compressions make of it.
type Trials struct {
	Bytes int64 // of files in the store
	Tried int64 // of them, those that are packed

	tree   *squashfs.Tree
	growth float64 // of a squashfs, from what is tried to the whole store
}

// Trial is what a compression made of the files that were tried.
type Trial struct {
	Tried   int64         // bytes of the squashfs
	Size    int64         // bytes of a squashfs of the whole store, estimated if not all was tried
	Packing time.Duration // of what was tried
	Memory  int64         // peak of this process while it packed, in bytes; 0 if the system does not tell
	Reading time.Duration // all files that were tried, one after the other
}

// New reads a store once, so that the first trial has no slower files than the
// others. If it has more than sample bytes, about so many will be tried: the others
// say little more. With 0 all will be.
//
// Chance decides whether a sample compresses better or worse than the whole, and it
// has hardly any files that are equal: packing both quickly tells by how much sizes
// have to be corrected.
func New(ctx context.Context, src image.Sources, sample int64, opts image.PackOptions) (*Trials, error) {
	tree, err := image.ScanStore(ctx, src, nil)
	if err != nil {
		return nil, err
	}
	t := &Trials{Bytes: tree.Bytes, tree: tree, growth: 1}
	quick := codec.Settings{Name: codec.LZ4}
	whole, err := t.write(ctx, nowhere{}, quick, opts)
	if err != nil {
		return nil, err
	}
	t.tree.Sample(sample)
	t.Tried = t.tree.Bytes
	if t.Tried == t.Bytes {
		return t, nil
	}
	part, err := t.write(ctx, nowhere{}, quick, image.PackOptions{Workers: opts.Workers})
	if err != nil {
		return nil, err
	}
	t.growth = float64(whole.Size) / float64(part.Size)
	return t, nil
}

// readings of a squashfs, of which the fastest counts: reading is short, and
// what disturbs it only makes it slower.
const readings = 2

// nowhere takes bytes and keeps none.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// Scratch is a file that is written to again and again.
type Scratch interface {
	io.WriterAt
	io.ReaderAt
	Truncate(size int64) error
}

// Try packs with a compression and reads the result back. The squashfs goes to
// scratch, whatever is in it.
func (t *Trials) Try(ctx context.Context, scratch Scratch, compression codec.Settings, opts image.PackOptions) (Trial, error) {
	if err := scratch.Truncate(0); err != nil {
		return Trial{}, err
	}
	debug.FreeOSMemory() // what earlier trials left
	resets := resetPeakMemory()
	started := time.Now()
	summary, err := t.write(ctx, scratch, compression, opts)
	if err != nil {
		return Trial{}, err
	}
	trial := Trial{
		Tried:   summary.Size,
		Size:    t.whole(summary),
		Packing: time.Since(started),
	}
	if resets == nil {
		if trial.Memory, err = peakMemory(); err != nil {
			return Trial{}, err
		}
	}
	for range readings {
		started = time.Now()
		if err := readImage(ctx, scratch, summary.Size); err != nil {
			return Trial{}, fmt.Errorf("reading back what %s made: %w", compression, err)
		}
		if took := time.Since(started); trial.Reading == 0 || took < trial.Reading {
			trial.Reading = took
		}
	}
	return trial, nil
}

// Size is that of a squashfs of the whole store with a compression, in bytes: estimated, if not all
// is tried. Nothing is kept.
func (t *Trials) Size(ctx context.Context, compression codec.Settings, opts image.PackOptions) (int64, error) {
	summary, err := t.write(ctx, nowhere{}, compression, opts)
	return t.whole(summary), err
}

// whole is the size of a squashfs of the whole store by that of what was tried.
func (t *Trials) whole(tried squashfs.Summary) int64 { return int64(float64(tried.Size) * t.growth) }

func (t *Trials) write(ctx context.Context, w io.WriterAt, compression codec.Settings, opts image.PackOptions) (squashfs.Summary, error) {
	return image.NewStore(compression, image.DefaultEpoch).Write(ctx, w, t.tree, opts)
}

// readImage reads all files of a squashfs as a program would that runs from
// it: one after the other, in one thread.
func readImage(ctx context.Context, squashed io.ReaderAt, size int64) error {
	r, err := squashfs.Open(squashed, size)
	if err != nil {
		return err
	}
	buffer := make([]byte, codec.MaxBlockSize)
	return r.Walk(func(path string, ino squashfs.Inode) error {
		if !ino.Mode.IsRegular() || ctx.Err() != nil {
			return ctx.Err()
		}
		file, err := r.OpenFile(ino)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for offset := int64(0); offset < file.Size(); {
			n, err := file.ReadAt(buffer, offset)
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("%s: %w", path, err)
			}
			offset += int64(n)
		}
		return nil
	})
}

// resetPeakMemory lets the system forget the most memory that this process had
// (proc_pid_clear_refs(5)).
func resetPeakMemory() error {
	const peak = "5"
	return os.WriteFile("/proc/self/clear_refs", []byte(peak), 0)
}

var peakLine = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

// peakMemory is the most memory that this process had, in bytes
// (proc_pid_status(5)).
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	m := peakLine.FindSubmatch(status)
	if m == nil {
		return 0, nil
	}
	kibibytes, err := strconv.ParseInt(string(m[1]), 10, 64)
	return kibibytes << 10, err
}
