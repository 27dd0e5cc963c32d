package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// remote is an image that is far away. Of the groups it has only what was wanted.
type remote struct {
	image   []byte
	unasked []index.Piece
	wanted  int64
}

func (r *remote) Size() int64   { return int64(len(r.image)) }
func (r *remote) Failed() error { return nil }
func (r *remote) Close() error  { return nil }

func (r *remote) ReadAt(p []byte, offset int64) (int, error) {
	for _, piece := range r.unasked {
		if offset < piece.End() && offset+int64(len(p)) > piece.Offset {
			return 0, errors.New("this was left where it is")
		}
	}
	return bytes.NewReader(r.image).ReadAt(p, offset)
}

func (r *remote) Want(_ context.Context, all []index.Piece, wanted func(index.Piece) bool) {
	for _, piece := range all {
		if wanted(piece) {
			r.wanted += piece.Size
		} else {
			r.unasked = append(r.unasked, piece)
		}
	}
}

// packages makes store paths of a few files in a folder, of versions that are 0 if nothing else is said.
func packages(t *testing.T, n int, versions map[int]byte) Sources {
	t.Helper()
	dir := t.TempDir()
	src := Sources{Closure: &store.Closure{}}
	var paths []string
	for i := range n {
		name := fmt.Sprintf("%032d-%c%d", 10*i+int(versions[i]), 'a'+i, i)
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		nar := store.NewNarHash()
		nar.Directory()
		for j, size := range []int{800_000, 900_000, 30_000} {
			seed := [32]byte{byte(i), versions[i], byte(j)}
			if i%2 == 0 { // of these, versions differ in one file
				seed[1] *= byte(j % 2)
			}
			data := make([]byte, size)
			_, _ = rand.NewChaCha8(seed).Read(data)
			file := fmt.Sprint("file-", j)
			if err := os.WriteFile(filepath.Join(folder, file), data, 0o444); err != nil {
				t.Fatal(err)
			}
			nar.Entry(file)
			if err := nar.File(false, int64(size), bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			nar.EndEntry()
		}
		nar.EndDirectory()
		sum, err := nar.Sum()
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, "/nix/store/"+name)
		src.Closure.Paths = append(src.Closure.Paths, store.PathInfo{Path: "/nix/store/" + name, NarHash: sum, NarSize: nar.Size()})
	}
	files, err := storefs.New("/nix/store", dir, paths)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	src.Files = files
	return src
}

// packStore is the store image of the sources, and how much of it comes from an earlier one.
func packStore(t *testing.T, s *Store, src Sources, earlier *Earlier) ([]byte, int64) {
	t.Helper()
	tree, err := ScanStore(t.Context(), src, earlier)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "squashfs"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	summary, err := s.Write(t.Context(), f, tree, PackOptions{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	packed := make([]byte, summary.Size)
	if _, err := f.ReadAt(packed, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return packed, summary.ReusedBytes
}

// onDisc puts a store image on a disc.
func onDisc(t *testing.T, packed []byte) []byte {
	t.Helper()
	image := hybridiso.Image{VolumeID: "TEST", DataPreparer: medium.Preparer, Boot: hybridiso.Boot{Hybrid: true}}
	image.Files = append(image.Files, hybridiso.File{Path: medium.StoreImage, Data: packed})
	layout, err := image.Layout()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "disc.iso"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := layout.Write(t.Context(), f, nil); err != nil {
		t.Fatal(err)
	}
	disc, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return disc
}

// TestRemote packs from an image that is not here, in which some packages are of another version. All
// that is the same is taken, but for groups which hold something else, too: these are not asked for,
// not even to find out whether the others are what they say.
func TestRemote(t *testing.T) {
	const n = 24
	s := NewStore(codec.Settings{Name: "zstd", Level: 1}, time.Unix(0, 0))
	if err := s.Check(); err != nil {
		t.Skip(err)
	}
	before, _ := packStore(t, s, packages(t, n, nil), nil)
	disc := onDisc(t, before)
	for name, versions := range map[string]map[int]byte{
		"nothing": {},
		"one":     {7: 1},
		"some":    {2: 1, 7: 1, 16: 1},
	} {
		t.Run(name, func(t *testing.T) {
			src := packages(t, n, versions)
			want, _ := packStore(t, s, src, nil)
			far := &remote{image: disc}
			earlier, err := s.OpenRemote(t.Context(), "far", far, src, nil, 2)
			if err != nil {
				t.Fatal(err)
			}
			got, reused := packStore(t, s, src, earlier)
			if err := earlier.Confirm(); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(got, want) {
				t.Error("the image has other bytes")
			}
			if earlier.Paths != n-len(versions) {
				t.Errorf("%d paths are the same, want %d", earlier.Paths, n-len(versions))
			}
			// One has the registration, which is made anew for each image.
			if left := len(far.unasked) - 1; left < 0 || left > len(versions) {
				t.Errorf("%d groups of packages were not asked for", left)
			}
			if reused < far.wanted*9/10 || reused == 0 || reused > far.wanted {
				t.Errorf("%d bytes were asked for, %d reused", far.wanted, reused)
			}
		})
	}
	t.Run("lies", func(t *testing.T) {
		src := packages(t, n, map[int]byte{7: 1})
		// The record has the sums of the image as it was; these are what the server is held against. One
		// that lies in both is found by what the paths hold.
		lying := bytes.Clone(disc)
		at := bytes.Index(disc, before) + len(before)/2
		for i := range 64 {
			lying[at+i] ^= 0x55
		}
		earlier, err := s.OpenRemote(t.Context(), "far", &remote{image: lying}, src, nil, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := earlier.Confirm(); err == nil {
			t.Error("what is not what it says is confirmed")
		}
	})
}
