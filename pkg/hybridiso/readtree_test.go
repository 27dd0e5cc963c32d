package hybridiso

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// wantEntry is an entry of a tree as the caller described it.
type wantEntry struct {
	mode    fs.FileMode
	target  string
	content []byte
}

// wantTree returns the entries of img by path, implied directories too.
func wantTree(t testing.TB, img Image, stream []byte) map[string]wantEntry {
	t.Helper()
	want := make(map[string]wantEntry)
	for _, f := range img.Files {
		entry := wantEntry{mode: 0o444, content: f.Data}
		switch {
		case f.Dir:
			entry.mode = fs.ModeDir | 0o555
		case f.Link != "":
			entry.mode, entry.target = fs.ModeSymlink|0o777, f.Link
		case f.Stream:
			entry.content = stream
		case f.Open != nil:
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			if entry.content, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if f.Mode != 0 {
			entry.mode |= 0o111
		}
		want[f.Path] = entry
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			want[dir] = wantEntry{mode: fs.ModeDir | 0o555}
		}
	}
	return want
}

// compareTree compares what was read from r with what img describes. The boot
// information table of isolinux.bin is left out of the comparison.
func compareTree(t testing.TB, img Image, stream []byte, entries []Entry, r io.ReaderAt) {
	t.Helper()
	want := wantTree(t, img, stream)
	for _, entry := range entries {
		w, ok := want[entry.Path]
		if !ok {
			t.Errorf("entry %q was not asked for, or is there twice", entry.Path)
			continue
		}
		delete(want, entry.Path)
		if entry.Mode != w.mode || entry.Target != w.target {
			t.Errorf("entry %q: mode %v, target %q, want %v, %q", entry.Path, entry.Mode, entry.Target, w.mode, w.target)
		}
		var got []byte
		for _, e := range entry.Extents {
			section := make([]byte, e.Size)
			if _, err := r.ReadAt(section, e.Offset); err != nil {
				t.Fatalf("entry %q: %v", entry.Path, err)
			}
			got = append(got, section...)
		}
		if bios := img.Boot.BIOS; bios != nil && bios.Path == entry.Path && len(got) == len(w.content) {
			copy(got[bootInformationOffset:bootInformationEnd], w.content[bootInformationOffset:])
		}
		if !bytes.Equal(got, w.content) || entry.Size != int64(len(w.content)) {
			t.Errorf("entry %q: content of %d bytes differs from the %d expected", entry.Path, len(got), len(w.content))
		}
	}
	for path := range want {
		t.Errorf("entry %q is missing", path)
	}
}

// volumesOf returns the image and, if it is hybrid, partition 1.
func volumesOf(img Image, image []byte, v Volume) map[string][]byte {
	volumes := map[string][]byte{"image": image}
	if img.Boot.Hybrid {
		p := v.Partitions[0]
		volumes["partition"] = image[p.Offset:][:p.Size]
	}
	return volumes
}

// withoutESP is what partition 1 holds of img.
func withoutESP(img Image) Image {
	if img.Boot.EFI == nil {
		return img
	}
	dir := path.Dir(img.Boot.EFI.Path)
	img.Files = slices.DeleteFunc(slices.Clone(img.Files), func(f File) bool { return f.Path == img.Boot.EFI.Path })
	if dir != "." && !slices.ContainsFunc(img.Files, func(f File) bool { return f.Path == dir || strings.HasPrefix(f.Path, dir+"/") }) {
		img.Files = append(img.Files, File{Path: dir, Dir: true})
	}
	return img
}

// TestReadTree reads what was written, from the image and from its partition.
func TestReadTree(t *testing.T) {
	for name, img := range variants(t) {
		l, err := img.Layout()
		if err != nil {
			t.Fatal(err)
		}
		var medium recorder
		if _, err := l.Write(t.Context(), &medium, streamOf(sampleStream)); err != nil {
			t.Fatal(err)
		}
		v, err := ReadVolume(bytes.NewReader(medium.bytes))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for part, volume := range volumesOf(img, medium.bytes, v) {
			want := img
			if part == "partition" {
				want = withoutESP(img)
			}
			r := bytes.NewReader(volume)
			entries, err := ReadTree(r)
			if err != nil {
				t.Errorf("%s, %s: %v", name, part, err)
				continue
			}
			compareTree(t, want, sampleStream, entries, r)
		}
	}
}

// fuzzImage makes an image from bytes: each line a file, its first byte the
// kind, the rest the path.
func fuzzImage(description string) Image {
	img := Image{VolumeID: "FUZZ", Time: time.Unix(1, 0), Boot: Boot{Hybrid: true}}
	for i, line := range strings.Split(description, "\n") {
		kind, path, _ := strings.Cut(line, " ")
		f := File{Path: path}
		switch kind {
		case "d":
			f.Dir = true
		case "l":
			f.Link = path
		case "s":
			f.Stream, f.MaxSize = true, 3*maxExtent
		case "x":
			f.Mode = 0o555
			fallthrough
		default:
			f.Data = []byte(fmt.Sprint(i))
		}
		img.Files = append(img.Files, f)
	}
	return img
}

// FuzzRoundTrip lays out trees, writes them and reads them back.
func FuzzRoundTrip(f *testing.F) {
	f.Add("d a/b/c\nf a/x.y.z\nx a/X.Y.Z\nl a/b/link\ns stream")
	f.Add("f " + strings.Repeat("n", 255) + "\nf " + strings.Repeat("n", 254) + "m\nl " + strings.Repeat("t/", 500) + "t")
	f.Add("f \xff\xfe\nf \u00fc\nf \U0001F98A\nf ...\nd .../...")
	f.Add("f A\nf a\nf A.\nf A_1\nd A_2\nf A.;1")
	f.Fuzz(func(t *testing.T, description string) {
		if len(description) > 1<<14 {
			return
		}
		img := fuzzImage(description)
		l, err := img.Layout()
		if err != nil {
			return
		}
		stream := []byte(description)
		var medium recorder
		if _, err := l.Write(t.Context(), &medium, streamOf(stream)); err != nil {
			t.Fatal(err)
		}
		v, err := ReadVolume(bytes.NewReader(medium.bytes))
		if err != nil {
			t.Fatal(err)
		}
		for _, volume := range volumesOf(img, medium.bytes, v) {
			r := bytes.NewReader(volume)
			entries, err := ReadTree(r)
			if err != nil {
				t.Fatal(err)
			}
			compareTree(t, img, stream, entries, r)
		}
		for _, h := range l.volumes[0].hierarchies() {
			for _, dir := range h.directories {
				checkIdentifiers(t, h, dir)
			}
		}
	})
}

// checkIdentifiers holds the identifiers of a directory against their limits.
func checkIdentifiers(t *testing.T, h *hierarchy, dir *directory) {
	t.Helper()
	most := maxPrimaryFile + len(".;1")
	if !h.names.rockRidge {
		most = 2 * (maxJolietName + len(";1"))
	}
	for i, r := range dir.records {
		if len(r.identifier) == 0 || len(r.identifier) > most {
			t.Errorf("%q: identifier %q", r.node.path, r.identifier)
		}
		if i > 0 && dir.records[i-1].key >= r.key {
			t.Errorf("%q: identifier %q does not sort after %q", r.node.path, r.key, dir.records[i-1].key)
		}
	}
}
