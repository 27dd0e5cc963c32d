package trial

import (
	"context"
	"errors"
	"testing"

	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// fitting is one whose images have these sizes by what is measured.
func fitting(t *testing.T, below int64, by Basis, sizes ...int64) *Fitting {
	t.Helper()
	f := &Fitting{below: below, sink: progress.Discard}
	known := map[codec.Settings]int64{}
	for i, size := range sizes {
		settings, err := codec.Parse(ladder[i])
		if err != nil {
			t.Fatal(err)
		}
		known[settings] = size
		f.left = append(f.left, settings)
	}
	f.measure = func(_ context.Context, s codec.Settings, _ *progress.Task) (int64, Basis, error) {
		return known[s], by, nil
	}
	return f
}

func TestChoose(t *testing.T) {
	for name, test := range map[string]struct {
		below int64
		by    Basis
		sizes []int64
		want  string // compression, or what does not fit, in the end
	}{
		"fastest":                        {1001, ByTrial, []int64{1000, 500}, "lz4"},
		"smaller, not equal":             {1000, ByTrial, []int64{1000, 999}, "zstd:3"},
		"none":                           {400, ByTrial, []int64{1000, 500, 400}, ""},
		"estimate just too large":        {1000, BySample, []int64{1001, 500}, "zstd:3"},
		"last estimate just too large":   {1000, BySample, []int64{2000, 1019}, "zstd:3"},
		"last estimate too large":        {1000, BySample, []int64{2000, 1021}, ""},
		"what is measured has no leeway": {1000, ByTrial, []int64{2000, 1001}, ""},
		"nothing to choose from":         {1000, ByTrial, []int64{1000}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fitting(t, test.below, test.by, test.sizes...).Choose(t.Context())
			tooLarge, failed := errors.AsType[*TooLargeError](err)
			switch {
			case test.want == "" && !failed:
				t.Errorf("%v, %v", got, err)
			case test.want == "":
				if smallest := test.sizes[len(test.sizes)-1]; tooLarge.Size != smallest || tooLarge.Below != test.below || tooLarge.Fits != nil {
					t.Errorf("%+v, want one of %d bytes", tooLarge, smallest)
				}
			case err != nil || got.String() != test.want:
				t.Errorf("%v, %v, want %s", got, err, test.want)
			}
		})
	}
}

// An image that was made is too large: the next compression is chosen, until there is none.
func TestChooseAgain(t *testing.T) {
	f := fitting(t, 1000, BySample, 999, 998, 1010)
	for _, want := range []string{"lz4", "zstd:3", "zstd:6"} {
		got, err := f.Choose(t.Context())
		if err != nil || got.String() != want {
			t.Fatalf("%v, %v, want %s", got, err, want)
		}
		if err := f.Made(got, 999); err != nil {
			t.Error(err)
		}
		if tooLarge, ok := errors.AsType[*TooLargeError](f.Made(got, 1000)); !ok || tooLarge.By != ByImage {
			t.Fatalf("%s: an image of 1000 bytes fits below 1000", got)
		}
	}
	_, err := f.Choose(t.Context())
	if tooLarge, ok := errors.AsType[*TooLargeError](err); !ok || tooLarge.Compression != "zstd:6" || tooLarge.By != ByImage || tooLarge.Among < 2 {
		t.Errorf("%+v", err)
	}
	const want = "the image has 1000 bytes with zstd:6: 1 too many to stay below 1000"
	if err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestCheckSize(t *testing.T) {
	own := codec.Settings{Name: codec.LZ4}
	f := fitting(t, 1000, BySample, 1019, 500)
	if err := f.Check(t.Context(), own); err != nil {
		t.Errorf("what may fit is refused: %v", err)
	}
	f = fitting(t, 1000, BySample, 2000, 1000, 999, 10)
	tooLarge, ok := errors.AsType[*TooLargeError](f.Check(t.Context(), own))
	if !ok || tooLarge.Fits == nil || tooLarge.Fits.Compression.String() != "zstd:6" {
		t.Fatalf("%+v", tooLarge)
	}
	if got, want := tooLarge.Error(), "the image would have about 2.0 kB with lz4: 1.0 kB too many to stay below 1.0 kB"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f = fitting(t, 10, ByTrial, 2000, 1000)
	if tooLarge, ok = errors.AsType[*TooLargeError](f.Check(t.Context(), own)); !ok || tooLarge.Fits != nil {
		t.Errorf("%+v", tooLarge)
	}
}
