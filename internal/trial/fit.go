package trial

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/livebuild/livebuild/internal/decompressor"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// DefaultSample is how many bytes of a store tell enough of the whole.
const DefaultSample = 256e6

// leeway is how far the size of an image may be from what a sample says, as a share of it: on
// 1.6 GB of Debian's packages and samples of an eighth it was 0.1 to 1.1 % with all codecs.
const leeway = 0.02

// ladder is the compressions to choose from, the fastest first: each takes longer to make or to
// read than the one before, and makes a smaller image. The order is fixed, not measured, so that
// the choice, and with it the bytes of an image, does not depend on the machine. Reading counts
// more than packing between the last two: xz packs faster than zstd:19, but the live system waits
// seven times as long for its files (docs/benchmarks.md).
var ladder = []string{"lz4", "zstd:3", "zstd:6", "zstd:15", "zstd:19", "xz"}

// Chosen says which compression was chosen, and what it makes of an image.
type Chosen struct {
	Compression string `json:"compression"`
	Size        int64  `json:"size"` // of the image, in bytes
	By          Basis  `json:"by"`
	Below       int64  `json:"below"` // what the size has to stay below, in bytes
}

// Basis is what a size is known by.
type Basis string

// The bases of sizes.
const (
	BySample Basis = "sample" // it is an estimate
	ByTrial  Basis = "trial"  // all was packed, to nowhere: it is exact
	ByBound  Basis = "bound"  // nothing had to be tried: it is the most that can become of the store
	ByImage  Basis = "image"  // it was made
)

// TooLargeError says that an image does not stay below a size.
type TooLargeError struct {
	Chosen       // the compression that is asked for or, of several, makes the smallest image
	Among  int   // how many compressions were to choose from; 1: it was asked for
	Fits   *Size // of another compression, that would; nil: none, or that is not known
}

// Size is that of an image with a compression.
type Size struct {
	Compression codec.Settings
	Bytes       int64
}

func (e *TooLargeError) Error() string {
	over := e.Size - e.Below + 1
	switch e.By {
	case ByImage:
		return fmt.Sprintf("the image has %d bytes with %s: %d too many to stay below %d", e.Size, e.Compression, over, e.Below)
	case ByTrial:
		return fmt.Sprintf("the image would have %s with %s: %s too many to stay below %s",
			human.Size(e.Size), e.Compression, human.Size(over), human.Size(e.Below))
	}
	return fmt.Sprintf("the image would have about %s with %s: %s too many to stay below %s",
		human.Size(e.Size), e.Compression, human.Size(over), human.Size(e.Below))
}

// Fitting finds compressions with which an image stays below a size, before it is packed. Sizes
// are estimated as [Compare] does. It is not safe for concurrent use.
type Fitting struct {
	below   int64
	sink    progress.Sink
	measure func(context.Context, codec.Settings, *progress.Task) (int64, Basis, error) // the image with a compression
	left    []codec.Settings                                                            // of the ladder
	tried   []Chosen
	packed  *TooLargeError // of the last image that was made
}

// NewFitting begins with an image that has to stay below so many bytes. Compressions that its
// kernels cannot read, and those that this program lacks, are not chosen.
func NewFitting(ctx context.Context, plan *image.Plan, src image.Sources, below int64, opts Options) (*Fitting, error) {
	if opts.Sink == nil {
		opts.Sink = progress.Discard
	}
	packing, err := plan.Prepare(ctx, src, nil)
	if err != nil {
		return nil, err
	}
	m := &measurer{below: below, packing: packing, src: src, opts: opts}
	f := &Fitting{below: below, sink: opts.Sink, measure: m.measure}
	for _, text := range ladder {
		settings, err := codec.Parse(text)
		if err == nil {
			_, err = codec.New(settings, 0)
		}
		if err == nil && decompressor.Check(plan.Systems(), src.Files, settings) == nil {
			f.left = append(f.left, settings)
		}
	}
	return f, nil
}

// Choose returns the fastest compression of those not chosen before with which the image is
// expected to stay below the size. Its error is a *TooLargeError if there is none.
func (f *Fitting) Choose(ctx context.Context) (codec.Settings, error) {
	chosen, err := progress.Do(f.sink, "choosing a compression", "", func(t *progress.Task) (Chosen, error) {
		return f.choose(ctx, t)
	})
	if err != nil {
		return codec.Settings{}, err
	}
	return codec.Parse(chosen.Compression)
}

func (f *Fitting) choose(ctx context.Context, t *progress.Task) (Chosen, error) {
	for len(f.left) > 0 {
		settings := f.left[0]
		f.left = f.left[1:]
		size, err := f.size(ctx, settings, t)
		if err != nil {
			return Chosen{}, err
		}
		last := len(f.left) == 0
		if size.Size < f.below || last && size.mayFit() {
			return size, nil
		}
		f.tried = append(f.tried, size)
	}
	if f.packed != nil {
		f.packed.Among = len(ladder)
		return Chosen{}, f.packed
	}
	smallest := slices.MinFunc(f.tried, func(a, b Chosen) int { return cmp.Compare(a.Size, b.Size) })
	return Chosen{}, &TooLargeError{Chosen: smallest, Among: len(ladder)}
}

// Made tells that an image was made with a compression, and how large it became. The error is a
// *TooLargeError if that is too large after all.
func (f *Fitting) Made(settings codec.Settings, size int64) error {
	if size < f.below {
		return nil
	}
	made := Chosen{Compression: settings.String(), Size: size, By: ByImage, Below: f.below}
	f.packed = &TooLargeError{Chosen: made, Among: 1}
	return f.packed
}

// Check finds out whether a compression that is asked for may do. If it cannot, the error is a
// *TooLargeError that says which would.
func (f *Fitting) Check(ctx context.Context, settings codec.Settings) error {
	task := progress.Begin(f.sink, "estimating the size", "")
	err := f.check(ctx, settings, task)
	if err != nil {
		task.Fail(err, nil)
		return err
	}
	task.End(nil)
	return nil
}

func (f *Fitting) check(ctx context.Context, settings codec.Settings, t *progress.Task) error {
	size, err := f.size(ctx, settings, t)
	if err != nil || size.mayFit() {
		return err
	}
	tooLarge := &TooLargeError{Chosen: size, Among: 1}
	for _, other := range f.left {
		if same(other, settings) {
			continue
		}
		better, err := f.size(ctx, other, t)
		if err != nil {
			return err
		}
		if better.Size < f.below {
			tooLarge.Fits = &Size{other, better.Size}
			break
		}
	}
	return tooLarge
}

func (f *Fitting) size(ctx context.Context, settings codec.Settings, t *progress.Task) (Chosen, error) {
	size, by, err := f.measure(ctx, settings, t)
	return Chosen{Compression: settings.String(), Size: size, By: by, Below: f.below}, err
}

// mayFit says whether an image of which that is known may stay below its limit.
func (c Chosen) mayFit() bool {
	if c.By == BySample {
		return float64(c.Size)*(1-leeway) < float64(c.Below)
	}
	return c.Size < c.Below
}

// measurer finds out the sizes of images.
type measurer struct {
	below   int64
	packing *image.Packing // of which only the layout is used
	src     image.Sources
	opts    Options
	trials  *Trials // nil as long as nothing had to be tried
}

// measure finds out the size of the image with a compression. One that stays below the limit
// whatever becomes of its store is not tried.
func (m *measurer) measure(ctx context.Context, settings codec.Settings, t *progress.Task) (int64, Basis, error) {
	if most := m.packing.MaxSize(); most < m.below {
		return most, ByBound, nil
	}
	opts := image.PackOptions{Workers: m.opts.Workers, Progress: t.Bytes}
	if m.trials == nil {
		t.Phase("reading the store")
		var err error
		if m.trials, err = New(ctx, m.src, m.opts.Sample, opts); err != nil {
			return 0, "", err
		}
	}
	t.Phase("trying " + settings.String())
	store, err := m.trials.Size(ctx, settings, opts)
	by := BySample
	if m.trials.Tried == m.trials.Bytes {
		by = ByTrial
	}
	return m.packing.SizeWith(store), by, err
}
