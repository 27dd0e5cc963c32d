package hybridiso

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"slices"
	"strings"
	"testing"
)

// summed is a file of the sum of the stream.
func summed(path string) File {
	return File{Path: path, Size: sha256.Size, Late: func(_ context.Context, stream io.Reader) ([]byte, error) {
		h := sha256.New()
		_, err := io.Copy(h, stream)
		return h.Sum(nil), err
	}}
}

// readable is a recorder that can be read back.
type readable struct{ recorder }

func (r *readable) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(r.bytes).ReadAt(p, offset)
}

// TestLate has files that follow from the stream, in each combination of boot entries and in
// the volume of partition 1, too.
func TestLate(t *testing.T) {
	sum := sha256.Sum256(sampleStream)
	for name, img := range variants(t) {
		img.Files = append(slices.Clone(img.Files), summed("sums/a"), summed("sums/b"))
		l, err := img.Layout()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var medium readable
		result, err := l.Write(t.Context(), &medium, streamOf(sampleStream))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if i := slices.IndexFunc(medium.counts, func(n uint8) bool { return n != 1 }); i >= 0 || result.Size != int64(len(medium.bytes)) {
			t.Errorf("%s: byte %d of %d is not written once", name, i, result.Size)
		}
		v, err := ReadVolume(bytes.NewReader(medium.bytes))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for in, volume := range volumesOf(img, medium.bytes, v) {
			entries, err := ReadTree(bytes.NewReader(volume))
			if err != nil {
				t.Fatalf("%s, %s: %v", name, in, err)
			}
			found := 0
			for _, e := range entries {
				if !strings.HasPrefix(e.Path, "sums/") {
					continue
				}
				found++
				if at := e.Extents[0].Offset; e.Size != sha256.Size || !bytes.Equal(volume[at:][:e.Size], sum[:]) {
					t.Errorf("%s, %s: %s at %d is not the sum of the stream", name, in, e.Path, at)
				}
			}
			if found != 2 {
				t.Errorf("%s, %s: %d files, want 2", name, in, found)
			}
		}
	}
}

// TestLateRefuses names what cannot follow from a stream, and what cannot be read back.
func TestLateRefuses(t *testing.T) {
	stream := File{Path: "s", Stream: true, MaxSize: 1 << 20}
	layout := func(files ...File) (*Layout, error) {
		return Image{VolumeID: "V", Time: testTime, Files: files}.Layout()
	}
	large := summed("late")
	large.Size = maxLate + 1
	both := summed("late")
	both.Data = []byte{1}
	for _, test := range []struct {
		files []File
		want  string
	}{
		{[]File{summed("late")}, `"late" follows from a stream, and there is none`},
		{[]File{stream, large}, "more than 16777216"},
		{[]File{stream, both}, "more than one kind"},
	} {
		if _, err := layout(test.files...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
	boot := Image{VolumeID: "V", Time: testTime, Files: []File{stream, summed("late")}, Boot: Boot{EFI: &EFIBoot{Path: "late"}}}
	if _, err := boot.Layout(); err == nil || !strings.Contains(err.Error(), "follows from the stream") {
		t.Errorf("error %v of a boot file that follows from the stream", err)
	}
	l, err := layout(stream, summed("late"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(t.Context(), &recorder{}, streamOf(sampleStream[:9])); err == nil || !strings.Contains(err.Error(), "cannot be read back") {
		t.Errorf("error %v of a medium that cannot be read", err)
	}
	short := summed("late")
	short.Size--
	if l, err = layout(stream, short); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(t.Context(), &readable{}, streamOf(sampleStream[:9])); err == nil || !strings.Contains(err.Error(), "has 32 bytes, expected 31") {
		t.Errorf("error %v of another length", err)
	}
}
