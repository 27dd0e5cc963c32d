package trial

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/livebuild/livebuild/internal/decompressor"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Comparison is what several compressions make of a store.
type Comparison struct {
	StoreBytes int64 `json:"store_bytes"` // of files in the store
	TriedBytes int64 `json:"tried_bytes"` // of them, those that were packed
	Trials     []Row `json:"trials"`
}

// Row is what one compression takes. Seconds and Size are those of the
// whole store, estimated if a sample was packed.
type Row struct {
	Compression  string   `json:"compression"`
	Seconds      float64  `json:"seconds"`
	Size         int64    `json:"size"`                  // of the squashfs, in bytes
	MemoryBytes  int64    `json:"memory_bytes"`          // peak while packing; 0: not known
	ReadSpeed    int64    `json:"read_bytes_per_second"` // of files
	TriedSeconds float64  `json:"tried_seconds"`         // measured
	TriedSize    int64    `json:"tried_size"`            // measured
	Marks        []string `json:"marks"`                 // of Configured and the others
}

// Marks of a row.
const (
	Configured = "configured"
	Quick      = "quick"
	Smallest   = "smallest"
	Unreadable = "not read by its kernel"
)

// stickSpeed is what an ordinary USB stick takes, in bytes per second.
const stickSpeed = 20e6

// onStick is when an image is on a stick, in seconds from the start of packing.
func (r Row) onStick() float64 { return r.Seconds + float64(r.Size)/stickSpeed }

// triedByDefault are the compressions that are worth a comparison, beside the
// configuration's own. gzip is beaten by zstd in everything.
var triedByDefault = []string{"lz4", "zstd:3", "zstd:6", "zstd:15", "zstd:19", "xz"}

// Defaults are compressions worth a comparison: the configuration's own and others, as
// far as this program has them. Missing says which it lacks.
func Defaults(own codec.Settings) (list []codec.Settings, missing []error) {
	list = []codec.Settings{own}
	for _, text := range triedByDefault {
		settings, err := codec.Parse(text)
		if err != nil {
			missing = append(missing, err)
		} else if !slices.ContainsFunc(list, func(s codec.Settings) bool { return same(s, settings) }) {
			list = append(list, settings)
		}
	}
	list = slices.DeleteFunc(list, func(s codec.Settings) bool {
		_, err := codec.New(s, 0)
		if err != nil {
			missing = append(missing, err)
		}
		return err != nil
	})
	return list, missing
}

// same reports whether two settings come to the same, however they
// were written.
func same(a, b codec.Settings) bool {
	effective := func(s codec.Settings) codec.Settings {
		if c, err := codec.New(s, 0); err == nil {
			return c.Settings()
		}
		return s
	}
	return effective(a) == effective(b)
}

// Options do not change what comes out, but for Sample.
type Options struct {
	Sample  int64 // bytes that are tried of a larger store; 0: all
	Workers int   // compressors at work; 0: one for each processor
	Scratch Scratch
	Sink    progress.Sink // nil: nobody is told
}

// What is told of a comparison.
type (
	// Read says that the store was read.
	Read struct {
		Bytes int64 `json:"bytes"`
	}
	// Tried says that a compression was tried.
	Tried struct {
		Compression string `json:"compression"`
	}
)

// Compare packs what a plan is built of with one compression after the other.
func Compare(ctx context.Context, plan *image.Plan, src image.Sources, list []codec.Settings, opts Options) (*Comparison, error) {
	if opts.Sink == nil {
		opts.Sink = progress.Discard
	}
	var trials *Trials
	_, err := progress.Do(opts.Sink, "reading the store", "", func(t *progress.Task) (read Read, err error) {
		if trials, err = New(ctx, src, opts.Sample, image.PackOptions{Workers: opts.Workers, Progress: t.Bytes}); err == nil {
			read.Bytes = trials.Bytes
		}
		return read, err
	})
	if err != nil {
		return nil, err
	}
	own := plan.Store().Compression()
	result := &Comparison{StoreBytes: trials.Bytes, TriedBytes: trials.Tried}
	for i, settings := range list {
		var tried Trial
		of := fmt.Sprintf("%s (%d of %d)", settings, i+1, len(list))
		_, err := progress.Do(opts.Sink, "trying", of, func(t *progress.Task) (_ Tried, err error) {
			tried, err = trials.Try(ctx, opts.Scratch, settings, image.PackOptions{Workers: opts.Workers, Progress: t.Bytes})
			return Tried{settings.String()}, err
		})
		if err != nil {
			return nil, err
		}
		row := newRow(settings, tried, trials)
		if same(settings, own) {
			row.Marks = append(row.Marks, Configured)
		}
		if decompressor.Check(plan.Systems(), src.Files, settings) != nil {
			row.Marks = append(row.Marks, Unreadable)
		}
		result.Trials = append(result.Trials, row)
	}
	result.mark()
	return result, nil
}

func newRow(settings codec.Settings, tried Trial, trials *Trials) Row {
	row := Row{
		Compression:  settings.String(),
		Seconds:      tried.Packing.Seconds(),
		Size:         tried.Size,
		MemoryBytes:  tried.Memory,
		TriedSeconds: tried.Packing.Seconds(),
		TriedSize:    tried.Tried,
		Marks:        []string{},
	}
	if trials.Tried > 0 {
		row.Seconds *= float64(trials.Bytes) / float64(trials.Tried)
	}
	if reading := tried.Reading.Seconds(); reading > 0 {
		row.ReadSpeed = int64(float64(trials.Tried) / reading)
	}
	return row
}

// mark marks the smallest and the quick one of those that the live system can
// read.
func (r *Comparison) mark() {
	var able []*Row
	for i := range r.Trials {
		if !slices.Contains(r.Trials[i].Marks, Unreadable) {
			able = append(able, &r.Trials[i])
		}
	}
	if len(able) < 2 {
		return
	}
	smallest := slices.MinFunc(able, func(a, b *Row) int { return cmp.Compare(a.TriedSize, b.TriedSize) })
	quick := slices.MinFunc(able, func(a, b *Row) int { return cmp.Compare(a.onStick(), b.onStick()) })
	quick.Marks = append(quick.Marks, Quick)
	smallest.Marks = append(smallest.Marks, Smallest)
}
