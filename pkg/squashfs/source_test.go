package squashfs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// sourceFile is a file of a testSource.
type sourceFile struct {
	Attributes
	contents string
}

// testSource is a Source of files by path, whose contents can be read in order only.
type testSource map[string]sourceFile

func (s testSource) Root() (Attributes, error) { return s["."].Attributes, nil }

func (s testSource) ReadDir(dir string) (list []Attributes, err error) {
	for path, f := range s { // in any order
		if path != "." && join(dir, f.Name) == path {
			list = append(list, f.Attributes)
		}
	}
	return list, nil
}

func (s testSource) Open(file string) (io.ReadCloser, error) {
	return io.NopCloser(struct{ io.Reader }{strings.NewReader(s[file].contents)}), nil
}

// add adds a file; its name and size follow from path and contents.
func (s testSource) add(path string, a Attributes, contents string) {
	a.Name = path[strings.LastIndex(path, "/")+1:]
	a.Size = int64(len(contents))
	s[path] = sourceFile{a, contents}
}

// writeTree writes the tree of a source into a file.
func writeTree(t testing.TB, src Source, opts Options) (image string, summary Summary) {
	t.Helper()
	tree, err := NewTree(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	f := createImage(t, t.TempDir())
	defer f.Close()
	done := int64(0)
	opts.Progress = func(n int64) { done += n }
	if summary, err = tree.Write(t.Context(), f, opts); err != nil {
		t.Fatal(err)
	}
	if done != tree.Bytes {
		t.Errorf("progress adds up to %d bytes, want %d", done, tree.Bytes)
	}
	if summary.Size > tree.MaxSize() {
		t.Errorf("image of %d bytes, MaxSize is %d", summary.Size, tree.MaxSize())
	}
	if err := openImage(t, f.Name()).Check(t.Context()); err != nil {
		t.Errorf("the reader of this package: %v", err)
	}
	return f.Name(), summary
}

// everything is a tree of all that inodes can have.
func everything() testSource {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	long := bytes.Repeat([]byte("long value "), 150)
	s := testSource{}
	s.add(".", Attributes{Mode: fs.ModeDir | 0o711, UID: 7, ModTime: at(1)}, "")
	s.add("block", Attributes{Mode: fs.ModeDevice | 0o660, GID: 6, Device: DeviceNumber(259, 300), ModTime: at(1234567890)}, "")
	s.add("char", Attributes{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Device: DeviceNumber(1, 3), ModTime: at(math.MaxUint32)}, "")
	s.add("dir", Attributes{Mode: fs.ModeDir | fs.ModeSticky | 0o777, UID: 1000, GID: 100, ModTime: at(1e9),
		Xattrs: []Xattr{{"user.dir", []byte("of a directory")}}}, "")
	s.add("dir/fifo", Attributes{Mode: fs.ModeNamedPipe | 0o600, UID: 70000, GID: 70000, ModTime: at(5), Xattrs: []Xattr{{"trusted.p", nil}}}, "")
	s.add("dir/socket", Attributes{Mode: fs.ModeSocket | 0o600, ModTime: at(5)}, "")
	s.add("dir/other", Attributes{Mode: 0o640, UID: 1, GID: 2, ModTime: at(7), Link: 99}, "linked twice")
	s.add("linked", Attributes{Mode: 0o640, UID: 1, GID: 2, ModTime: at(7), Link: 99}, "linked twice")
	s.add("alone", Attributes{Mode: 0o644, ModTime: at(8), Link: 100}, "the only name that is here")
	s.add("empty", Attributes{Mode: 0o644, ModTime: at(9)}, "")
	s.add("large", Attributes{Mode: fs.ModeSetuid | 0o755, ModTime: at(10),
		Xattrs: []Xattr{{"user.z", []byte("last")}, {"security.s", []byte("\x00\xff")}, {"trusted.t", long}}}, strings.Repeat("large ", 100_000))
	s.add("same", Attributes{Mode: 0o755, ModTime: at(10),
		Xattrs: []Xattr{{"security.s", []byte("\x00\xff")}, {"trusted.t", long}, {"user.z", []byte("last")}}}, strings.Repeat("large ", 100_000))
	s.add("symlink", Attributes{Mode: fs.ModeSymlink, Target: "dir/other", UID: 3, ModTime: at(11)}, "")
	return s
}

// describe is what stat and the contents say of every file of a mounted image.
func describe(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	numbers := make(map[uint64]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := statOf(info)
		fmt.Fprintf(&b, "%s %s %d:%d %d", strings.TrimPrefix(path, root), info.Mode(), st.uid, st.gid, info.ModTime().Unix())
		if info.Mode()&fs.ModeDevice != 0 {
			fmt.Fprintf(&b, " device %d:%d", st.major, st.minor)
		}
		if !d.IsDir() {
			if first, ok := numbers[st.number]; ok {
				fmt.Fprintf(&b, " is %s, %d names", first, st.links)
			}
			numbers[st.number] = strings.TrimPrefix(path, root)
		}
		if info.Mode().Type() == fs.ModeSymlink {
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " -> %s", target)
		}
		if info.Mode().IsRegular() {
			p, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %d bytes %.12q", len(p), p)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const everythingDescribed = ` drwx--x--x 7:0 1
/alone -rw-r--r-- 0:0 8 26 bytes "the only nam"
/block Drw-rw---- 0:6 1234567890 device 259:300
/char Dcrw-rw-rw- 0:0 4294967295 device 1:3
/dir dtrwxrwxrwx 1000:100 1000000000
/dir/fifo prw------- 70000:70000 5
/dir/other -rw-r----- 1:2 7 12 bytes "linked twice"
/dir/socket Srw------- 0:0 5
/empty -rw-r--r-- 0:0 9 0 bytes ""
/large urwxr-xr-x 0:0 10 600000 bytes "large large "
/linked -rw-r----- 1:2 7 is /dir/other, 2 names 12 bytes "linked twice"
/same -rwxr-xr-x 0:0 10 600000 bytes "large large "
/symlink Lrwxrwxrwx 3:0 11 -> dir/other
`

func TestSource(t *testing.T) {
	src := everything()
	for _, c := range []struct {
		name      string
		blockSize int
	}{{"none", 4 << 10}, {"lz4", 128 << 10}, {"zstd:3", 0}, {"xz:1", 64 << 10}} {
		t.Run(c.name, func(t *testing.T) {
			image, summary := writeTree(t, src, Options{Codec: newCodec(t, c.name, c.blockSize)})
			if summary.DuplicateFiles != 1 {
				t.Errorf("%d duplicates, want 1: a hard link is none", summary.DuplicateFiles)
			}
			t.Run("kernel", func(t *testing.T) {
				root := mountImage(t, image)
				if got := describe(t, root); got != everythingDescribed {
					t.Errorf("the image holds\n%s\nwant\n%s", got, everythingDescribed)
				}
			})
			t.Run("unsquashfs", func(t *testing.T) {
				root := filepath.Join(t.TempDir(), "root")
				judge.Run(t, "squashfs-tools", "unsquashfs", "-no-progress", "-quiet", "-dest", root, image)
				if got := describe(t, root); got != everythingDescribed {
					t.Errorf("the image holds\n%s\nwant\n%s", got, everythingDescribed)
				}
			})
			t.Run("rdsquashfs", func(t *testing.T) {
				said := judge.Run(t, "squashfs-tools-ng", "rdsquashfs", "--describe", image)
				for _, want := range []string{"nod block 0660 0 6 b 259 300", "nod char 0666 0 0 c 1 3", "pipe dir/fifo 0600 70000 70000",
					"sock dir/socket 0600 0 0", "dir dir 01777 1000 100", "file large 04755 0 0", "slink symlink 0777 3 0 dir/other"} {
					if !slices.Contains(strings.Split(said, "\n"), want) {
						t.Errorf("no line %q in\n%s", want, said)
					}
				}
			})
			t.Run("again", func(t *testing.T) {
				// What the reader makes of it is the same to the last byte.
				again, _ := writeTree(t, FromFS(openImage(t, image).FS()), Options{Codec: newCodec(t, c.name, c.blockSize)})
				if hashFile(t, again) != hashFile(t, image) {
					t.Error("an image of the image has other bytes")
				}
			})
		})
	}
}

// The table counts names as mksquashfs does, and equal sets once.
func TestXattrTable(t *testing.T) {
	image, _ := writeTree(t, everything(), Options{Codec: newCodec(t, "gzip:1", 128<<10)})
	dir := unsquash(t, image)
	other := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, other, "-quiet", "-no-progress")
	sizes := func(r *Reader) (list []uint32) {
		for i := range r.xattrIDs.count {
			var id disk.XattrID
			if err := r.row(&r.xattrIDs, i, &id); err != nil {
				t.Fatal(err)
			}
			list = append(list, id.Count, id.Size)
		}
		slices.Sort(list)
		return list
	}
	if got, want := sizes(openImage(t, image)), sizes(openImage(t, other)); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("counts and sizes %d, mksquashfs has %d", got, want)
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is\n%s\nwant\n%s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// With zero options a file system is packed and read back.
func TestWriteFS(t *testing.T) {
	var image memoryImage
	fsys := fstest.MapFS{
		"a/hello":  {Data: []byte("hello\n"), Mode: 0o644},
		"a/large":  {Data: bytes.Repeat([]byte("0123456789"), 300_000), Mode: 0o600, ModTime: time.Unix(99, 0)},
		"b":        {Data: []byte("a/hello"), Mode: fs.ModeSymlink | 0o777},
		"zero":     {Mode: 0o644},
		"deep/d/e": {Mode: fs.ModeDir | 0o700},
	}
	summary, err := Write(t.Context(), &image, fsys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := openBytes(t, image.p)
	if int64(len(image.p)) != summary.Size || r.Info().Codec.Settings().Name != "zstd" {
		t.Errorf("%d bytes of %s, want %d of zstd", len(image.p), r.Info().Codec.Settings(), summary.Size)
	}
	if !r.Info().MkfsTime.Equal(DefaultTime) {
		t.Errorf("made at %s", r.Info().MkfsTime)
	}
	if err := fstest.TestFS(r.FS(), "a/hello", "a/large", "b", "zero", "deep/d/e"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]time.Time{"a/hello": DefaultTime, "a/large": time.Unix(99, 0)} {
		if info, err := fs.Stat(r.FS(), name); err != nil || !info.ModTime().Equal(want) {
			t.Errorf("%s: %v, %v", name, info.ModTime(), err)
		}
	}
	got, err := fs.ReadFile(r.FS(), "a/large")
	if err != nil || !bytes.Equal(got, fsys["a/large"].Data) {
		t.Errorf("a/large: %d bytes, %v", len(got), err)
	}
	root, err := r.Root()
	if err != nil || root.Mode != fs.ModeDir|0o555 {
		t.Errorf("the root has mode %s (%v), MapFS says dr-xr-xr-x", root.Mode, err)
	}
}

// Several calls may write one tree.
func TestTreeIsWrittenAtOnce(t *testing.T) {
	src := t.TempDir()
	fill(t, src)
	tree, err := NewTree(t.Context(), FromDir(src))
	if err != nil {
		t.Fatal(err)
	}
	const calls = 3
	sums := make(chan [32]byte, calls)
	for range calls {
		go func() {
			summary, err := tree.Write(context.Background(), discard{}, Options{Codec: newCodec(t, "lz4", 0)})
			if err != nil {
				t.Error(err)
			}
			sums <- summary.Sum
		}()
	}
	first := <-sums
	for range calls - 1 {
		if sum := <-sums; sum != first {
			t.Error("other bytes")
		}
	}
}

func TestDeviceNumber(t *testing.T) {
	for _, d := range [][2]uint32{{0, 0}, {1, 3}, {259, 300}, {4095, 1<<20 - 1}} {
		ino := Inode{Mode: fs.ModeDevice, Device: DeviceNumber(d[0], d[1])}
		if major, minor := ino.DeviceNumbers(); major != d[0] || minor != d[1] {
			t.Errorf("device %d:%d becomes %d:%d", d[0], d[1], major, minor)
		}
	}
}

// A folder as an fs.FS, whose large files are read in parts by several goroutines, is
// what the kernel finds in the image.
func TestWriteDirFS(t *testing.T) {
	dir := t.TempDir()
	text := []byte(strings.Repeat("All work and no play makes Jack a dull boy.\n", 9000))
	write(t, dir, "text", text, 0o640)
	write(t, dir, "holes", append(make([]byte, 300_000), text[:5000]...), 0o755)
	for i := range 200 {
		write(t, dir, fmt.Sprintf("small/%d", i), text[i:i*20], 0o444)
	}
	link(t, dir, "small/link", "../text")
	f := createImage(t, t.TempDir())
	defer f.Close()
	if _, err := Write(t.Context(), f, os.DirFS(dir), Options{Codec: newCodec(t, "lz4", 8<<10), Workers: 4}); err != nil {
		t.Fatal(err)
	}
	compareTrees(t, dir, mountImage(t, f.Name()))
}
