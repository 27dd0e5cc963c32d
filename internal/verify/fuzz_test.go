package verify

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// fuzzImage is an image with a store of two paths, a menu, and what it names.
func fuzzImage(t testing.TB) []byte {
	t.Helper()
	registered := []store.PathInfo{info(t, rootPath, "root", leafPath), info(t, leafPath, strings.Repeat("leaf", 9000))}
	return withStore(t, map[string]string{rootPath: "root", leafPath: strings.Repeat("leaf", 9000)}, registered,
		hybridiso.File{Path: "isolinux/isolinux.cfg", Data: []byte("LABEL a\nLINUX /vmlinuz\nINITRD /initrd\n")},
		hybridiso.File{Path: "vmlinuz", Data: []byte("kernel")}, hybridiso.File{Path: "initrd", Data: []byte("initrd")})
}

// FuzzVerify: whatever bytes of an image are others, it is refused or checked to its end, and the places
// that are named are in it. Of the squashfs alone, which an image is, too, the same.
func FuzzVerify(f *testing.F) {
	disc := fuzzImage(f)
	section, err := medium.FindStore(bytes.NewReader(disc), int64(len(disc)))
	if err != nil {
		f.Fatal(err)
	}
	_, start, size := section.Outer()
	images := [][]byte{disc, disc[start:][:size]}
	for which := range images {
		f.Add(uint8(which), uint32(0), []byte{})
		for at := uint32(0); at < uint32(len(images[which])); at += 4096 {
			f.Add(uint8(which), at, []byte{0xff, 0xff, 0xff, 0xff})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, patch []byte) {
		sound := images[int(which)%len(images)]
		image := bytes.Clone(sound)
		copy(image[int(at)%len(image):], patch)
		m, err := medium.ReadAny(bytes.NewReader(image), int64(len(image)))
		if err != nil {
			return
		}
		found, many := 0, errors.New("more findings than anybody reads")
		report, err := Verify(t.Context(), m, Options{Workers: 2, Found: func(f Finding) error {
			if f.Offset >= int64(len(image)) {
				t.Errorf("a finding behind the end: %s", f)
			}
			if found++; found > 10000 {
				return many
			}
			return nil
		}})
		if err != nil && !errors.Is(err, many) {
			t.Errorf("Verify: %v", err)
		}
		if err == nil && report.Findings != found {
			t.Errorf("%d findings were told, %d are reported", found, report.Findings)
		}
		if bytes.Equal(image, sound) && found > 0 {
			t.Errorf("%d findings in a sound image", found)
		}
		_ = Locate(t.Context(), m, int64(at)%m.Size)
	})
}
