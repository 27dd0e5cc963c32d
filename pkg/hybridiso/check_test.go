package hybridiso

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// findings are what is wrong with the volume in an image.
func findings(t testing.TB, image []byte, opts CheckOptions) (list []Finding) {
	t.Helper()
	r, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	err = r.Findings(context.Background(), opts, func(f Finding) error {
		list = append(list, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// sampleBytes is the sample image.
func sampleBytes(t testing.TB) []byte {
	t.Helper()
	path, _ := writeImage(t, sampleImage(t), streamOf(sampleStream))
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestFindingsNone finds nothing in volumes of several writers.
func TestFindingsNone(t *testing.T) {
	tree := hostTree(t)
	for _, args := range []string{
		"genisoimage -quiet -R -J", "genisoimage -quiet -J -udf", "genisoimage -quiet", "genisoimage -quiet -R -J -hide-joliet *kernel*",
		"xorriso -as mkisofs -quiet -R -J", "xorriso -as mkisofs -quiet -R -J -joliet-long", "xorriso -as mkisofs -quiet -R",
	} {
		path := filepath.Join(t.TempDir(), "image.iso")
		words := append(strings.Fields(args), "-o", path, tree)
		judge.Run(t, map[string]string{"genisoimage": "genisoimage", "xorriso": "xorriso"}[words[0]], words[0], words[1:]...)
		image, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := findings(t, image, CheckOptions{}); len(got) != 0 {
			t.Errorf("%s: %v", args, got)
		}
	}
	if got := findings(t, sampleBytes(t), CheckOptions{Same: true}); len(got) != 0 {
		t.Errorf("what this package wrote: %v", got)
	}
}

// descriptorAt is the descriptor of a type in an image, and its place.
func descriptorAt(t testing.TB, image []byte, typ uint8) (d volumeDescriptor, at int) {
	t.Helper()
	for at := descriptorBlock * blockSize; ; at += blockSize {
		decode(image[at:], &d)
		if d.Type == typ {
			return d, at
		}
		if d.Type == typeTerminator {
			t.Fatalf("no descriptor of type %d", typ)
		}
	}
}

// TestFindings damages what only readers of other systems use.
func TestFindings(t *testing.T) {
	sound := sampleBytes(t)
	primary, _ := descriptorAt(t, sound, typePrimary)
	joliet, jolietAt := descriptorAt(t, sound, typeSupplementary)
	tableL := int(primary.TypeLPathTable) * blockSize
	tableM := int(binary.BigEndian.Uint32(joliet.TypeMPathTable[:])) * blockSize
	r, err := openAs(bytes.NewReader(sound), int64(len(sound)), Joliet)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.Entries(r.root)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return len(e.Extents) == 1 && e.Size > 1 })
	if i < 0 {
		t.Fatal("no file in the root directory")
	}
	file := int(entries[i].Record)
	for name, test := range map[string]struct {
		damage          func(b []byte)
		structure, text string
		same            bool
	}{
		"root's block in table L":             {func(b []byte) { b[tableL+2] ^= 1 }, "path table L", "where no directory is", false},
		"a name in Joliet's table M":          {func(b []byte) { b[tableM+10+9] ^= 1 }, "Joliet path table M", "calls the directory", false},
		"a parent in Joliet's table M":        {func(b []byte) { b[tableM+10+7] = 9 }, "Joliet path table M", "as the directory that it is in", false},
		"size of the tables":                  {func(b []byte) { b[jolietAt+132] -= 2; b[jolietAt+139] -= 2 }, "Joliet path table L", "", false},
		"size in one byte order":              {func(b []byte) { b[jolietAt+132] ^= 2 }, "Joliet volume descriptor", "in the other byte order", false},
		"Joliet's root elsewhere":             {func(b []byte) { copy(b[jolietAt+156+2:], "\xff\xff\xff\x7f\x7f\xff\xff\xff") }, "Joliet directory", "EOF", false},
		"Joliet's file is shorter":            {func(b []byte) { b[file+10]--; b[file+17]-- }, "Joliet directory record", "without Joliet", false},
		"Joliet's file in another byte order": {func(b []byte) { b[file+17]-- }, "Joliet directory", "in the other byte order", false},
		"Joliet's file elsewhere":             {func(b []byte) { b[file+2] ^= 1; b[file+9] ^= 1 }, "Joliet directory record", "where without Joliet none is", true},
		"Joliet's file of another name":       {func(b []byte) { b[file+34] ^= 1 }, "Joliet directory record", "another name", true},
	} {
		t.Run(name, func(t *testing.T) {
			image := bytes.Clone(sound)
			test.damage(image)
			got := findings(t, image, CheckOptions{Same: test.same})
			if !slices.ContainsFunc(got, func(f Finding) bool {
				return f.Structure == test.structure && strings.Contains(f.Err.Error(), test.text)
			}) {
				t.Errorf("%v, want one of %s with %q", got, test.structure, test.text)
			}
		})
	}
	stop := errors.New("enough")
	image := bytes.Clone(sound)
	image[tableL+2] ^= 1
	r, err = Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Findings(t.Context(), CheckOptions{}, func(Finding) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error is %v", err)
	}
}
