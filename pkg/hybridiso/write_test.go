package hybridiso

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// recorder is a medium in memory that counts the writes of each byte.
type recorder struct {
	bytes  []byte
	counts []uint8
	last   int64 // offset of the latest write
	limit  int64 // fail beyond so many bytes in all, if not 0
	total  int64
}

var errMedium = errors.New("medium is broken")

func (r *recorder) WriteAt(b []byte, offset int64) (int, error) {
	r.total += int64(len(b))
	if r.limit != 0 && r.total > r.limit {
		return 0, errMedium
	}
	end := int(offset) + len(b)
	if end > len(r.bytes) {
		r.bytes = append(r.bytes, bytes.Repeat([]byte{0xAA}, end-len(r.bytes))...)
		r.counts = append(r.counts, make([]uint8, end-len(r.counts))...)
	}
	copy(r.bytes[offset:], b)
	for i := range b {
		r.counts[int(offset)+i]++
	}
	r.last = offset
	return len(b), nil
}

// variants are the sample in all its combinations of boot entries.
func variants(t testing.TB) map[string]Image {
	all := sampleImage(t)
	images := make(map[string]Image)
	for name, boot := range map[string]Boot{
		"hybrid BIOS and EFI": all.Boot,
		"hybrid BIOS":         {BIOS: all.Boot.BIOS, Hybrid: true},
		"hybrid EFI":          {EFI: all.Boot.EFI, Hybrid: true},
		"hybrid data":         {Hybrid: true},
		"disc BIOS and EFI":   {BIOS: &BIOSBoot{Path: all.Boot.BIOS.Path}, EFI: all.Boot.EFI},
		"disc BIOS":           {BIOS: &BIOSBoot{Path: all.Boot.BIOS.Path}},
		"disc EFI":            {EFI: all.Boot.EFI},
		"data":                {},
	} {
		img := all
		img.Boot = boot
		images[name] = img
	}
	return images
}

// TestWriteEachByteOnce also finds that the head comes last, and that a second
// image has the same bytes.
func TestWriteEachByteOnce(t *testing.T) {
	for name, img := range variants(t) {
		l, err := img.Layout()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var first, second recorder
		result, err := l.Write(t.Context(), &first, streamOf(sampleStream))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if i := slices.IndexFunc(first.counts, func(n uint8) bool { return n != 1 }); i >= 0 {
			t.Errorf("%s: byte %d is written %d times, want once", name, i, first.counts[i])
		}
		if size := int64(len(first.bytes)); result.Size != size || l.Size(result.StreamSize) != size {
			t.Errorf("%s: sizes %d and %d, but %d bytes were written", name, result.Size, l.Size(result.StreamSize), size)
		}
		if first.last != 0 {
			t.Errorf("%s: the last write is at %d, want 0", name, first.last)
		}
		if got := first.bytes[result.StreamOffset:][:result.StreamSize]; !bytes.Equal(got, sampleStream) {
			t.Errorf("%s: the stream is not at its offset", name)
		}
		if _, err := l.Write(t.Context(), &second, streamOf(sampleStream)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(first.bytes, second.bytes) {
			t.Errorf("%s: two images differ", name)
		}
	}
}

// TestWriteWithoutStream has the other order of what follows.
func TestWriteWithoutStream(t *testing.T) {
	img := sampleImage(t)
	img.Files = slices.DeleteFunc(img.Files, func(f File) bool { return f.Stream })
	l, err := img.Layout()
	if err != nil {
		t.Fatal(err)
	}
	var medium recorder
	if _, err := l.Write(t.Context(), &medium, nil); err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(medium.counts, func(n uint8) bool { return n != 1 }); i >= 0 {
		t.Errorf("byte %d is written %d times, want once", i, medium.counts[i])
	}
	entries, err := ReadTree(bytes.NewReader(medium.bytes))
	if err != nil {
		t.Fatal(err)
	}
	compareTree(t, img, nil, entries, bytes.NewReader(medium.bytes))
}

// TestInterruptedIsNoVolume breaks the medium at many places.
func TestInterruptedIsNoVolume(t *testing.T) {
	l, err := sampleImage(t).Layout()
	if err != nil {
		t.Fatal(err)
	}
	size := l.Size(int64(len(sampleStream)))
	for limit := int64(1); limit < size; limit += size / 50 {
		medium := recorder{limit: limit}
		if _, err := l.Write(t.Context(), &medium, streamOf(sampleStream)); !errors.Is(err, errMedium) {
			t.Fatalf("medium of %d bytes: error %v, want %v", limit, err, errMedium)
		}
		if _, err := ReadVolume(bytes.NewReader(medium.bytes)); !errors.Is(err, ErrNoVolume) {
			t.Errorf("medium of %d bytes: ReadVolume: %v, want %v", limit, err, ErrNoVolume)
		}
	}
}

func TestWriteCancelled(t *testing.T) {
	l, err := sampleImage(t).Layout()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelling := func(context.Context, io.WriterAt) (int64, error) {
		cancel()
		return 0, nil
	}
	if _, err := l.Write(ctx, &recorder{}, cancelling); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// failing closes with an error.
type failing struct{ io.Reader }

func (failing) Close() error { return errMedium }

func TestWriteRefuses(t *testing.T) {
	image := func(f File) Image {
		return Image{VolumeID: "V", Time: testTime, Files: []File{f}}
	}
	boot := image(File{Path: "name", Open: opener(make([]byte, 100)), Size: 200})
	boot.Boot.BIOS = &BIOSBoot{Path: "name"}
	for _, test := range []struct {
		name   string
		image  Image
		stream StreamFunc
		want   string
	}{
		{"short file", image(File{Path: "name", Open: opener(make([]byte, 3)), Size: 4}), nil, `"name": has 3 bytes, expected 4`},
		{"long file", image(File{Path: "name", Open: opener(make([]byte, 5)), Size: 4}), nil, `"name": has more than the expected 4`},
		{"short boot file", boot, nil, `"name": has 100 bytes, expected 200`},
		{"file does not open", image(File{Path: "name", Open: func() (io.ReadCloser, error) { return nil, errMedium }}), nil, `"name": medium`},
		{"file does not close", image(File{Path: "name", Open: func() (io.ReadCloser, error) { return failing{strings.NewReader("")}, nil }}), nil, `"name": medium`},
		{"no stream function", image(File{Path: "name", Stream: true}), nil, `"name": no function`},
		{"long stream", image(File{Path: "name", Stream: true, MaxSize: 2}), streamOf([]byte("abc")), `"name": stream has 3 bytes, more than the maximum of 2`},
		{"stream fails", image(File{Path: "name", Stream: true}), func(context.Context, io.WriterAt) (int64, error) { return 0, errMedium }, `"name": medium`},
	} {
		l, err := test.image.Layout()
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		var medium recorder
		_, err = l.Write(t.Context(), &medium, test.stream)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %s", test.name, err, test.want)
		}
	}
}
