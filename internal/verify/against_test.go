package verify

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Store paths of the tests, a root and what it refers to.
const (
	rootPath = "/nix/store/00000000000000000000000000000000-root"
	leafPath = "/nix/store/11111111111111111111111111111111-leaf"
)

// nar is the archive of a store path that is a file.
func nar(t testing.TB, text string) (hash [32]byte, size int64) {
	t.Helper()
	n := store.NewNarHash()
	if err := n.File(false, int64(len(text)), strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	hash, err := n.Sum()
	if err != nil {
		t.Fatal(err)
	}
	return hash, n.Size()
}

// info is what is known of a store path that is a file.
func info(t testing.TB, storePath, text string, references ...string) store.PathInfo {
	t.Helper()
	hash, size := nar(t, text)
	return store.PathInfo{Path: storePath, NarHash: hash, NarSize: size, References: references}
}

// withStore is an image whose store holds files by their store paths, and a registration.
func withStore(t testing.TB, files map[string]string, registered []store.PathInfo, others ...hybridiso.File) []byte {
	t.Helper()
	var text bytes.Buffer
	if err := (&store.Closure{Paths: registered}).WriteRegistration(&text); err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{medium.Registration: {Data: text.Bytes(), Mode: 0o444}}
	for name, contents := range files {
		tree[path.Base(name)] = &fstest.MapFile{Data: []byte(contents), Mode: fs.FileMode(0o444)}
	}
	var packed memory
	if _, err := squashfs.Write(t.Context(), &packed, tree, squashfs.Options{}); err != nil {
		t.Fatal(err)
	}
	return foreign(t, append(others, hybridiso.File{Path: medium.StoreImage, Data: packed.Bytes()})...)
}

// TestAgainst holds media against what is known elsewhere: a medium that contradicts itself, and
// ones that lie all through.
func TestAgainst(t *testing.T) {
	honest := []store.PathInfo{info(t, rootPath, "root", leafPath), info(t, leafPath, "leaf")}
	honestFiles := map[string]string{rootPath: "root", leafPath: "leaf"}
	lying := []store.PathInfo{honest[0], info(t, leafPath, "evil")}
	lyingFiles := map[string]string{rootPath: "root", leafPath: "evil"}
	unreferenced := []store.PathInfo{info(t, rootPath, "root"), honest[1]}
	only := []store.PathInfo{info(t, rootPath, "root")}

	for name, test := range map[string]struct {
		files      map[string]string
		registered []store.PathInfo
		against    *Elsewhere
		want       []string // in the findings, in their order
		gap        string
	}{
		"believed":            {honestFiles, honest, nil, nil, ""},
		"the same":            {honestFiles, honest, &Elsewhere{Closure: &store.Closure{Paths: honest}}, nil, ""},
		"contradicts itself":  {lyingFiles, honest, nil, []string{leafPath + `": its NAR hash is`}, ""},
		"lies, and is blamed": {lyingFiles, lying, nil, nil, ""},
		"lies, and is found": {lyingFiles, lying, &Elsewhere{Closure: &store.Closure{Paths: honest}},
			[]string{leafPath + `": it is registered with the NAR hash`, leafPath + `": its NAR hash is`}, ""},
		"registered wrongly alone": {honestFiles, lying, &Elsewhere{Closure: &store.Closure{Paths: honest}},
			[]string{leafPath + `": it is registered with the NAR hash`}, ""},
		"other references": {honestFiles, unreferenced, &Elsewhere{Closure: &store.Closure{Paths: honest}},
			[]string{rootPath + `": it is registered with other references`}, ""},
		"one too few": {map[string]string{rootPath: "root"}, only, &Elsewhere{Closure: &store.Closure{Paths: honest}},
			[]string{rootPath + `": it is registered with other references`, leafPath + `": it is not registered on the medium`}, ""},
		"one too many": {honestFiles, unreferenced, &Elsewhere{Closure: &store.Closure{Paths: only}},
			[]string{leafPath + `": it is registered on the medium, and not in the closure elsewhere`}, ""},
		"evaluated": {honestFiles, honest, &Elsewhere{Roots: []string{rootPath}}, nil, "contents elsewhere"},
		"another system": {honestFiles, honest, &Elsewhere{Roots: []string{leafPath + "2"}},
			[]string{leafPath + `2": the configuration has it`, rootPath + `": it is on the medium, and not what the configuration has`}, ""},
		"evaluated and built": {lyingFiles, lying, &Elsewhere{Roots: []string{rootPath}, Closure: &store.Closure{Paths: honest}},
			[]string{leafPath + `": it is registered with the NAR hash`, leafPath + `": its NAR hash is`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			lines, report := check(t, withStore(t, test.files, test.registered), Options{Against: test.against})
			if len(lines) != len(test.want) {
				t.Fatalf("%q, want %q", lines, test.want)
			}
			for i, want := range test.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%q, want %q", lines[i], want)
				}
			}
			gapped := slices.ContainsFunc(report.Gaps, func(gap string) bool { return strings.Contains(gap, "elsewhere") })
			if gapped != (test.gap != "") {
				t.Errorf("the gaps are %q", report.Gaps)
			}
		})
	}
}

// TestLocate asks of every byte of an image what it belongs to: a file's where it was put.
func TestLocate(t *testing.T) {
	data := withStore(t, map[string]string{rootPath: "root", leafPath: strings.Repeat("leaf", 1<<20)}, []store.PathInfo{info(t, rootPath, "root")})
	m, err := medium.ReadAny(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Store()
	if err != nil {
		t.Fatal(err)
	}
	section, err := medium.FindStore(m.ReaderAt(), m.Size)
	if err != nil {
		t.Fatal(err)
	}
	_, start, size := section.Outer()
	ino, err := s.Lookup(path.Base(leafPath))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := s.Blocks(ino)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := m.Files().Find("isolinux/isolinux.bin")
	if err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int64]string{
		0:                              "system area",
		20 << 10:                       "system area",
		16 * isoBlock:                  "volume descriptors and directories",
		boot.At(100):                   `file of "isolinux/isolinux.bin"`,
		start:                          "squashfs head",
		start + blocks.Data[1].Offset:  `squashfs data block of "` + leafPath + `"`,
		start + s.Info().BytesUsed - 1: "squashfs tables",
		start + size - 1:               "squashfs record",
	} {
		if got := Locate(t.Context(), m, offset).String(); got != want {
			t.Errorf("byte %d is %s, want %s", offset, got, want)
		}
	}
}
