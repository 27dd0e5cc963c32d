package squashfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// A shelf is entries of several groups, in which a version of one of them can
// be put. They have what makes taking over hard: files equal to those of other
// entries, large ones, holes.
type shelf struct {
	dir     string
	entries []Entry
}

// newShelf makes the entries under a folder, "tool" in the given version.
func newShelf(t testing.TB, version string) shelf {
	t.Helper()
	s := shelf{dir: t.TempDir()}
	random := rand.New(rand.NewChaCha8([32]byte{3}))
	words := make([]string, 3000)
	for i := range words {
		words[i] = fmt.Sprintf("%x", random.Uint32N(1<<20))
	}
	text := func(n int) []byte {
		var b bytes.Buffer
		for b.Len() < n {
			b.WriteString(words[random.IntN(len(words))])
			b.WriteByte(' ')
		}
		return b.Bytes()[:n]
	}
	for i := range 6 {
		entry := fmt.Sprintf("%c%d-library%d", 'z'-i, i, i)
		for j := range 40 {
			write(t, s.dir, fmt.Sprintf("%s/share/%d.txt", entry, j), text(30_000+j*1000), 0o444)
		}
		write(t, s.dir, entry+"/lib/large.so", text(1<<20+i), 0o555)
		write(t, s.dir, entry+"/licence", []byte("the same everywhere"), 0o444)
		write(t, s.dir, entry+"/nothing", nil, 0o444)
		link(t, s.dir, entry+"/lib/link.so", "large.so")
	}
	write(t, s.dir, "a-holes/zero", append(make([]byte, 3<<20), text(100)...), 0o444)
	write(t, s.dir, "a-holes/zeros", make([]byte, 2<<20), 0o444)
	for i := range 40 {
		write(t, s.dir, fmt.Sprintf("unit%d/unit", i), text(300), 0o444)
	}
	// The tool shares a small and a large file with others that come before
	// and after it.
	tool := version + "-library3"
	write(t, s.dir, tool+"/bin/tool", []byte("version "+version), 0o555)
	write(t, s.dir, tool+"/licence", []byte("the same everywhere"), 0o444)
	large, err := os.ReadFile(filepath.Join(s.dir, "u5-library5/lib/large.so"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.dir, tool+"/lib/large.so", large, 0o444)
	small, err := os.ReadFile(filepath.Join(s.dir, "z0-library0/share/7.txt"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.dir, tool+"/lib/small", small, 0o444)

	for _, e := range dirEntries(t, s.dir) {
		_, e.Kin, _ = strings.Cut(e.Name, "-")
		e.Kept = e.Name != tool
		s.entries = append(s.entries, e)
	}
	s.entries = append(s.entries, Entry{Name: "list", Data: []byte("the list of " + version)})
	return s
}

// pack writes an image of the shelf, with what an earlier one has, into a file.
func (s shelf) pack(t testing.TB, opts Options, earlier *Earlier) (string, Summary) {
	t.Helper()
	f := createImage(t, t.TempDir())
	defer f.Close()
	return f.Name(), s.packTo(t, f, opts, earlier)
}

func (s shelf) packTo(t testing.TB, w io.WriterAt, opts Options, earlier *Earlier) Summary {
	t.Helper()
	tree, err := Scan(context.Background(), s.entries, nil, earlier)
	if err != nil {
		t.Fatal(err)
	}
	summary, err := tree.Write(context.Background(), w, opts)
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

func createImage(t testing.TB, folder string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, "image"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func openEarlier(t testing.TB, path string, opts Options) (*Earlier, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return OpenEarlier(context.Background(), f, info.Size(), opts.Codec, 2)
}

func TestEarlierGivesTheSameBytes(t *testing.T) {
	before, after := newShelf(t, "1"), newShelf(t, "2")
	for _, c := range []struct {
		codec     string
		blockSize int
		workers   int
	}{{"none", 0, 2}, {"lz4", 0, 1}, {"zstd:1", 0, 2}, {"zstd:1", 0, 8}, {"gzip:1", 64 << 10, 2}, {"xz:1", 256 << 10, 2}} {
		t.Run(fmt.Sprintf("%s/%d/%d", c.codec, c.blockSize, c.workers), func(t *testing.T) {
			if testing.Short() && c.codec == "xz:1" {
				t.Skip("the race detector sees the same workers as with another codec")
			}
			opts := testOptions
			opts.Codec = newCodec(t, c.codec, c.blockSize)
			opts.Workers = c.workers
			old, _ := before.pack(t, opts, nil)
			want, cold := after.pack(t, opts, nil)
			earlier, err := openEarlier(t, old, opts)
			if err != nil {
				t.Fatal(err)
			}
			if earlier.Damaged() != 0 {
				t.Errorf("%d bytes are damaged", earlier.Damaged())
			}
			got, warm := after.pack(t, opts, earlier)
			if hashFile(t, got) != hashFile(t, want) {
				t.Error("other bytes than without the earlier image")
			}
			if warm.ReusedBytes == 0 || warm.ReusedBytes > warm.DataBytes {
				t.Errorf("%d of %d bytes reused", warm.ReusedBytes, warm.DataBytes)
			}
			warm.ReusedBytes = 0
			if warm != cold {
				t.Errorf("summary %+v, without the earlier image %+v", warm, cold)
			}
			compareTrees(t, filepath.Join(after.dir, "a-holes"), filepath.Join(mountImage(t, got), "a-holes"))
		})
	}
}

// inOrder is an io.WriterAt that takes bytes in order, and the superblock last.
type inOrder struct {
	t *testing.T
	f *os.File
	n int64
}

func (w *inOrder) WriteAt(p []byte, offset int64) (int, error) {
	if offset != 0 {
		if w.n == 0 {
			w.n = int64(disk.SuperblockSize)
		}
		if offset != w.n {
			w.t.Errorf("%d bytes written at %d, want %d", len(p), offset, w.n)
		}
		w.n = offset + int64(len(p))
	}
	return w.f.WriteAt(p, offset)
}

func TestEarlierIsCopiedInOrder(t *testing.T) {
	before, after := newShelf(t, "1"), newShelf(t, "2")
	opts := testOptions
	opts.Codec = newCodec(t, "lz4", 0)
	old, _ := before.pack(t, opts, nil)
	want, _ := after.pack(t, opts, nil)
	earlier, err := openEarlier(t, old, opts)
	if err != nil {
		t.Fatal(err)
	}
	f := createImage(t, t.TempDir())
	defer f.Close()
	after.packTo(t, &inOrder{t: t, f: f}, opts, earlier)
	if hashFile(t, f.Name()) != hashFile(t, want) {
		t.Error("other bytes")
	}
}

// What is taken is not read: the host need not even have it.
func TestEarlierIsNotReadOnTheHost(t *testing.T) {
	s := newShelf(t, "1")
	opts := testOptions
	opts.Codec = newCodec(t, "zstd:1", 0)
	image, _ := s.pack(t, opts, nil)
	want := hashFile(t, image)
	earlier, err := openEarlier(t, image, opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.entries {
		s.entries[i].Kept = s.entries[i].Path != ""
	}
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.pack(t, opts, earlier); hashFile(t, got) != want {
		t.Error("other bytes")
	}
}

// The earlier image with each of its parts damaged, a little or all of it, gives
// the right image, or none at all.
func TestEarlierDamaged(t *testing.T) {
	before, after := newShelf(t, "1"), newShelf(t, "2")
	opts := testOptions
	opts.Codec = newCodec(t, "lz4", 0)
	old, _ := before.pack(t, opts, nil)
	want, _ := after.pack(t, opts, nil)
	image, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	r := openBytes(t, image)
	parts := 24
	if testing.Short() { // with the race detector, which takes ten times as long
		parts = 5
	}
	type damage struct{ from, to int }
	var damages []damage
	for i := range parts {
		start := i * len(image) / parts
		damages = append(damages, damage{start, start + 16}, damage{start, (i + 1) * len(image) / parts})
	}
	record := int(disk.AlignUp(int64(r.sb.BytesUsed)))
	for _, at := range []int{4, int(r.sb.InodeTable) + 50, int(r.sb.DirTable) + 50, int(r.sb.FragmentTable), int(r.sb.BytesUsed) - 1,
		record, record + 20, record + disk.RecordHeaderSize + 3, record + disk.RecordHeaderSize + 80, record + disk.RecordHeaderSize + 3*disk.GroupRecordSize} {
		damages = append(damages, damage{at, at + 1})
	}
	refused := 0
	for _, d := range damages {
		damaged := slices.Clone(image)
		for i := range damaged[d.from:d.to] {
			damaged[d.from+i] ^= 0x55
		}
		earlier, err := OpenEarlier(context.Background(), bytes.NewReader(damaged), int64(len(damaged)), opts.Codec, 2)
		if err != nil {
			refused++
			continue
		}
		if got, _ := after.pack(t, opts, earlier); hashFile(t, got) != hashFile(t, want) {
			t.Errorf("damage from %d to %d of %d: other bytes", d.from, d.to, len(image))
		}
	}
	if refused == 0 || refused == len(damages) {
		t.Errorf("%d of %d damaged images refused", refused, len(damages))
	}
	for _, size := range []int{0, 1, disk.SuperblockSize, len(image) / 2, int(r.sb.BytesUsed), record + 10, len(image) - disk.Padding} {
		if _, err := OpenEarlier(context.Background(), bytes.NewReader(image[:size]), int64(size), opts.Codec, 2); err == nil {
			t.Errorf("an image cut off after %d of %d bytes is taken", size, len(image))
		}
	}
}

// A record that was made to fit a changed image is taken for true here: who
// cannot vouch for the image has to compare what it holds. But it must not
// lead outside of what it describes.
func TestEarlierLies(t *testing.T) {
	s := newShelf(t, "1")
	opts := testOptions
	opts.Codec = newCodec(t, "lz4", 0)
	path, _ := s.pack(t, opts, nil)
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := openBytes(t, image)
	at := disk.AlignUp(int64(r.sb.BytesUsed))
	rec, err := r.readRecord(int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	// open opens the image with another record in place of its own.
	open := func(t *testing.T, lie func(g []disk.GroupRecord)) (*Earlier, error) {
		lying := *rec
		lying.Groups = slices.Clone(rec.Groups)
		lie(lying.Groups)
		p, err := lying.Encode()
		if err != nil {
			t.Fatal(err)
		}
		changed := append(slices.Clone(image[:at]), p...)
		return OpenEarlier(context.Background(), bytes.NewReader(changed), int64(len(changed)), opts.Codec, 2)
	}
	for name, lie := range map[string]func(g []disk.GroupRecord){
		"group before the data":  func(g []disk.GroupRecord) { g[0].Start = 0 },
		"group behind the data":  func(g []disk.GroupRecord) { g[len(g)-1].Size += 1 << 40 },
		"groups overlap":         func(g []disk.GroupRecord) { g[1].Start = g[0].Start },
		"group of nothing":       func(g []disk.GroupRecord) { g[0].Size = 0 },
		"group between blocks":   func(g []disk.GroupRecord) { g[0].Start++ },
		"size overflows":         func(g []disk.GroupRecord) { g[0].Size = 1<<64 - disk.Padding },
		"fragments of another":   func(g []disk.GroupRecord) { g[1].FirstFragment = 0 },
		"fragments out of table": func(g []disk.GroupRecord) { g[len(g)-1].Fragments = 1 << 31 },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := open(t, lie); err == nil {
				t.Error("taken")
			}
		})
	}
	t.Run("swapped keys", func(t *testing.T) {
		earlier, err := open(t, func(g []disk.GroupRecord) { g[0].Key, g[1].Key = g[1].Key, g[0].Key })
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := s.pack(t, opts, earlier); hashFile(t, got) != hashFile(t, path) {
			t.Error("other bytes")
		}
	})
}

func TestEarlierOfAnotherMaker(t *testing.T) {
	s := newShelf(t, "1")
	opts := testOptions
	opts.Codec = newCodec(t, "zstd:1", 0)
	image, _ := s.pack(t, opts, nil)
	other := testOptions
	other.Codec = newCodec(t, "zstd:2", 0)
	var encoder *EncoderError
	if _, err := openEarlier(t, image, other); !errors.As(err, &encoder) || !strings.Contains(encoder.Was, "zstd:1") {
		t.Errorf("other level: %v", err)
	}
	foreign := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", s.dir, foreign, "-quiet", "-no-progress", "-comp", "zstd", "-b", "1M")
	if _, err := openEarlier(t, foreign, opts); !errors.Is(err, ErrNoRecord) {
		t.Errorf("image of mksquashfs: %v", err)
	}
	if _, err := openEarlier(t, filepath.Join(s.dir, "z0-library0/share/7.txt"), opts); !errors.Is(err, ErrNotSquashFS) {
		t.Errorf("text: %v", err)
	}
}

// On a file system that shares blocks, what is taken takes no room.
func TestEarlierSharesBlocks(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, 400<<20); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "xfsprogs", "mkfs.xfs", "-q", "-m", "reflink=1", disk)
	folder := t.TempDir()
	judge.Root(t)
	judge.Run(t, "mount", "mount", "-o", "loop", disk, folder)
	t.Cleanup(func() { judge.Run(t, "mount", "umount", folder) })

	s := newShelf(t, "1")
	opts := testOptions
	opts.Codec = newCodec(t, "zstd:1", 0)
	cold, _ := s.pack(t, opts, nil)
	copied := filepath.Join(folder, "earlier")
	judge.Run(t, "coreutils", "cp", cold, copied)
	earlier, err := openEarlier(t, copied, opts)
	if err != nil {
		t.Fatal(err)
	}
	f := createImage(t, folder)
	defer f.Close()
	s.packTo(t, f, opts, earlier)
	if hashFile(t, f.Name()) != hashFile(t, cold) {
		t.Error("other bytes")
	}
	if extents := judge.Run(t, "e2fsprogs", "filefrag", "-v", f.Name()); !strings.Contains(extents, "shared") {
		t.Errorf("no extent is shared:\n%s", extents)
	}
}

// A change in one entry leaves the groups of others as they are.
func TestChangesStayLocal(t *testing.T) {
	opts := testOptions
	opts.Codec = newCodec(t, "zstd:1", 0)
	sums := func(version string) map[[sha256.Size]byte]bool {
		path, _ := newShelf(t, version).pack(t, opts, nil)
		image, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := openBytes(t, image).readRecord(int64(len(image)))
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[[sha256.Size]byte]bool)
		for _, g := range rec.Groups {
			all[g.Sum] = true
		}
		return all
	}
	before, after := sums("1"), sums("2")
	changed := 0
	for sum := range after {
		if !before[sum] {
			changed++
		}
	}
	// That of the tool, and that of the list.
	if len(after) < 4 || changed > 2 {
		t.Errorf("%d of %d groups changed", changed, len(after))
	}
}

func FuzzRecord(f *testing.F) {
	s := newShelf(f, "1")
	opts := testOptions
	opts.Codec = newCodec(f, "lz4", 0)
	path, _ := s.pack(f, opts, nil)
	image, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	r := openBytes(f, image)
	at := disk.AlignUp(int64(r.sb.BytesUsed))
	f.Add(image[at:])
	f.Add(image[at : at+int64(disk.RecordHeaderSize)])
	f.Fuzz(func(t *testing.T, p []byte) {
		// A record that is sound but for its sum gets further.
		if len(p) >= disk.RecordHeaderSize+sha256.Size {
			sum := sha256.Sum256(p[:len(p)-sha256.Size])
			p = append(slices.Clone(p[:len(p)-sha256.Size]), sum[:]...)
		}
		changed := append(slices.Clone(image[:at]), p...)
		earlier, err := OpenEarlier(context.Background(), bytes.NewReader(changed), int64(len(changed)), opts.Codec, 2)
		if err != nil {
			return
		}
		again, err := earlier.record.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(p, again[:len(again)-binary.Size(earlier.record.Sum)]) {
			t.Error("the record reads otherwise than it was written")
		}
		if got, _ := s.pack(t, opts, earlier); hashFile(t, got) != hashFile(t, path) {
			t.Error("other bytes")
		}
	})
}
