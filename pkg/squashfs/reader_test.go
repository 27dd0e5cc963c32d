package squashfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

func TestReadWhatOthersWrote(t *testing.T) {
	dir := oddTree(t)
	// mksquashfs 4.5 takes two names for one file if all that stat(2) says of
	// them is the same, access times included: the first access comes before
	// it, later ones on the same day change nothing (relatime, mount(8)).
	judge.Run(t, "dash", "sh", "-c", `find "$1" -type f -exec cat {} + -o -type l -exec readlink {} + >/dev/null`, "sh", dir)
	for _, p := range packers() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			image := filepath.Join(t.TempDir(), "image")
			p.pack(t, dir, image)
			r := openImage(t, image)
			if err := r.Check(context.Background()); err != nil {
				t.Errorf("Check: %v", err)
			}
			compareWithHost(t, r, dir, p.keeps)
		})
	}
}

// compareWithHost compares everything in the image with the directory that it
// was made of, but not the attributes of the root, which the tools set as they
// like.
func compareWithHost(t *testing.T, r *Reader, dir string, keeps kept) {
	t.Helper()
	inodes := make(map[string]Inode)
	numbers := make(map[uint64]uint32) // of the image by those of the host
	err := r.Walk(func(path string, ino Inode) error {
		inodes[path] = ino
		return nil
	})
	if err != nil {
		t.Fatalf("Walk: %v", err)
	}
	err = filepath.WalkDir(dir, func(host string, d fs.DirEntry, err error) error {
		if err != nil || host == dir {
			return err
		}
		path := host[len(dir)+1:]
		ino, ok := inodes[path]
		if !ok {
			t.Errorf("%q is not in the image", path)
			return nil
		}
		delete(inodes, path)
		want, err := d.Info()
		if err != nil {
			return err
		}
		compareInode(t, path, ino, want, keeps.attributes)
		switch want.Mode().Type() {
		case 0:
			compareFile(t, r, ino, host)
		case fs.ModeSymlink:
			target, err := os.Readlink(host)
			if err != nil {
				return err
			}
			if ino.Target != target {
				t.Errorf("target of %q = %q, want %q", path, ino.Target, target)
			}
		}
		if st := statOf(want); keeps.hardLinks && st.links > 1 && !want.IsDir() {
			if known, ok := numbers[st.number]; ok && known != ino.Number {
				t.Errorf("%q is inode %d, its other name is inode %d", path, ino.Number, known)
			}
			numbers[st.number] = ino.Number
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(inodes, ".")
	for path := range inodes {
		t.Errorf("%q is in the image only", path)
	}
}

func compareInode(t *testing.T, path string, ino Inode, want fs.FileInfo, attributes bool) {
	t.Helper()
	if ino.Mode != want.Mode() {
		t.Errorf("mode of %q = %s, want %s", path, ino.Mode, want.Mode())
	}
	if size := want.Size(); ino.Size != size && want.Mode().IsRegular() {
		t.Errorf("size of %q = %d, want %d", path, ino.Size, size)
	}
	if !attributes {
		return
	}
	if !ino.ModTime.Equal(want.ModTime().Truncate(time.Second)) {
		t.Errorf("time of %q = %s, want %s", path, ino.ModTime, want.ModTime())
	}
	st := statOf(want)
	if ino.UID != st.uid || ino.GID != st.gid {
		t.Errorf("owner of %q = %d:%d, want %d:%d", path, ino.UID, ino.GID, st.uid, st.gid)
	}
}

func compareFile(t *testing.T, r *Reader, ino Inode, host string) {
	t.Helper()
	f, err := r.OpenFile(ino)
	if err != nil {
		t.Errorf("%s: %v", host, err)
		return
	}
	want, err := os.ReadFile(host)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("contents of %s differ, or error %v", host, err)
	}
	// In one go blocks are decoded in their place.
	got = make([]byte, f.Size())
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("contents of %s at once differ, or error %v", host, err)
	}
}

func TestReadAt(t *testing.T) {
	dir := oddTree(t)
	image := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress", "-b", "4K")
	r := openImage(t, image)
	for _, name := range []string{"sizes/text-0", "sizes/noise-4097", "sizes/text-131071", "holes"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		ino, err := r.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.OpenFile(ino)
		if err != nil {
			t.Fatal(err)
		}
		judge := bytes.NewReader(want)
		for _, off := range []int64{0, 1, 4095, 4096, 4097, 8191, 131070, 299999, 300001, 300003, 1 << 40, -1} {
			for _, n := range []int{0, 1, 3, 4096, 10000} {
				a, b := make([]byte, n), make([]byte, n)
				gotN, gotErr := f.ReadAt(a, off)
				wantN, wantErr := judge.ReadAt(b, off)
				if n == 0 && off >= 0 { // bytes.Reader says io.EOF at the end even then
					wantErr = nil
				}
				if gotN != wantN || (gotErr == io.EOF) != (wantErr == io.EOF) || (gotErr == nil) != (wantErr == nil) || !bytes.Equal(a, b) {
					t.Errorf("%s: ReadAt(%d bytes, %d) = %d, %v, want %d, %v", name, n, off, gotN, gotErr, wantN, wantErr)
				}
			}
		}
	}
}

func TestConcurrentReads(t *testing.T) {
	dir := oddTree(t)
	image := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress", "-comp", "zstd", "-b", "4K")
	r := openImage(t, image)
	const name = "sizes/noise-1053576"
	want, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	ino, err := r.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.OpenFile(ino)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			got, err := io.ReadAll(io.NewSectionReader(f, int64(i*1000), f.Size()))
			if err != nil || !bytes.Equal(got, want[i*1000:]) {
				t.Errorf("contents differ, or error %v", err)
			}
			if _, err := r.Lookup(strings.Repeat("deep/", 100) + "file"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestLargeDirectory(t *testing.T) {
	t.Parallel()
	const files = 20000
	name := func(i int) string { return fmt.Sprintf("%05d-%s", i, strings.Repeat("x", i%40)) }
	headers := []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o755},
	}
	for i := range files {
		headers = append(headers, tar.Header{Typeflag: tar.TypeReg, Name: "d/" + name(i), Mode: 0o644})
	}
	for program, r := range packTar(t, headers) {
		if err := r.Check(context.Background()); err != nil {
			t.Errorf("%s: Check: %v", program, err)
		}
		d, err := r.Lookup("d")
		if err != nil {
			t.Fatal(err)
		}
		if d.dir.indexCount == 0 {
			t.Errorf("%s: no directory index: the test does not test one", program)
		}
		list, err := r.ReadDir(d)
		if err != nil || len(list) != files {
			t.Fatalf("%s: ReadDir = %d entries, %v, want %d", program, len(list), err, files)
		}
		for i, e := range list {
			if e.Name != name(i) {
				t.Fatalf("%s: entry %d = %q, want %q", program, i, e.Name, name(i))
			}
		}
	}
}

func TestSparseFileBeyond4GiB(t *testing.T) {
	t.Parallel()
	const size = 4<<30 + 12345
	text := []byte("not a hole")
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mustDo(t, f.Truncate(size))
	places := []int64{0, 1<<32 - 5, size - int64(len(text))}
	for _, off := range places {
		_, err := f.WriteAt(text, off)
		mustDo(t, err)
	}
	image := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress", "-b", "1M")
	r := openImage(t, image)
	mustDo(t, r.Check(context.Background()))
	if _, err := fs.ReadFile(r.FS(), "sparse"); err == nil || !strings.Contains(err.Error(), "read at once") {
		t.Errorf("ReadFile = %v, want a refusal", err)
	}
	ino, err := r.Lookup("sparse")
	mustDo(t, err)
	if ino.Size != size {
		t.Fatalf("size = %d, want %d", ino.Size, int64(size))
	}
	file, err := r.OpenFile(ino)
	mustDo(t, err)
	for _, off := range places {
		for _, shift := range []int64{-5, 0, 5} {
			got, want := make([]byte, 20), make([]byte, 20)
			n1, _ := file.ReadAt(got, max(0, off+shift))
			n2, _ := f.ReadAt(want, max(0, off+shift))
			if n1 != n2 || !bytes.Equal(got, want) {
				t.Errorf("at %d: %d bytes %q, want %d bytes %q", off+shift, n1, got, n2, want)
			}
		}
	}
}

func TestDevicesOwnersAndXattrs(t *testing.T) {
	xattr := map[string]string{"SCHILY.xattr.user.test": "value"}
	long := strings.Repeat("long value ", 3000)
	more := map[string]string{"SCHILY.xattr.user.test": "value", "SCHILY.xattr.trusted.t": long, "SCHILY.xattr.security.s": "\x00\xff"}
	when := time.Unix(1234567890, 0)
	for program, r := range packTar(t, []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		{Typeflag: tar.TypeBlock, Name: "block", Mode: 0o660, Devmajor: 259, Devminor: 300, Gid: 6, ModTime: when},
		{Typeflag: tar.TypeChar, Name: "char", Mode: 0o666, Devmajor: 1, Devminor: 3, ModTime: when},
		{Typeflag: tar.TypeFifo, Name: "fifo", Mode: 0o600, Uid: 1000, Gid: 100, ModTime: when, PAXRecords: xattr},
		{Typeflag: tar.TypeReg, Name: "file", Mode: 0o644, Uid: 70000, ModTime: when, PAXRecords: more},
		{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "file", Mode: 0o777, ModTime: when, PAXRecords: xattr},
		{Typeflag: tar.TypeReg, Name: "same", Mode: 0o644, ModTime: when, PAXRecords: map[string]string{"SCHILY.xattr.trusted.t": long}},
		{Typeflag: tar.TypeDir, Name: "sub/", Mode: 0o750, ModTime: when, PAXRecords: xattr},
	}) {
		t.Run(program, func(t *testing.T) {
			if r.sb.XattrTable == disk.InvalidTable {
				t.Error("the image has no extended attributes: the test does not test them")
			}
			if err := r.Check(context.Background()); err != nil {
				t.Errorf("Check: %v", err)
			}
			var got strings.Builder
			err := r.Walk(func(path string, ino Inode) error {
				if path == "." {
					return nil
				}
				major, minor := ino.DeviceNumbers()
				fmt.Fprintf(&got, "%s %s %d:%d %d:%d %d", path, ino.Mode, ino.UID, ino.GID, major, minor, ino.ModTime.Unix())
				attributes := make(map[string]string)
				for x, err := range r.Xattrs(ino) {
					if err != nil {
						return err
					}
					attributes[x.Name] = string(x.Value)
				}
				for _, name := range slices.Sorted(maps.Keys(attributes)) {
					fmt.Fprintf(&got, " %s=%q", name, attributes[name])
				}
				got.WriteByte('\n')
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want := `block Drw-rw---- 0:6 259:300 1234567890
char Dcrw-rw-rw- 0:0 1:3 1234567890
fifo prw------- 1000:100 0:0 1234567890 user.test="value"
file -rw-r--r-- 70000:0 0:0 1234567890 security.s="\x00\xff" trusted.t=LONG user.test="value"
link Lrwxrwxrwx 0:0 0:0 1234567890 user.test="value"
same -rw-r--r-- 0:0 0:0 1234567890 trusted.t=LONG
sub drwxr-x--- 0:0 0:0 1234567890 user.test="value"
`
			want = strings.ReplaceAll(want, "LONG", strconv.Quote(long))
			if got.String() != want {
				t.Errorf("image holds\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

func TestInfo(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", []byte("text"), 0o644)
	link(t, dir, "b", "a")
	image := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress",
		"-comp", "zstd", "-Xcompression-level", "7", "-b", "64K", "-mkfs-time", "1600000000")
	info := openImage(t, image).Info()
	if s := info.Codec.Settings(); s.Name != "zstd" || s.Level != 7 {
		t.Errorf("compressor = %v, want zstd, level 7", s)
	}
	if info.BlockSize != 64<<10 || info.Inodes != 3 || info.Fragments != 1 || !info.Exportable || info.MkfsTime.Unix() != 1600000000 {
		t.Errorf("Info = %+v, want block size 65536, 3 inodes, 1 fragment, exportable, made at 1600000000", info)
	}
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/b/c", []byte("text"), 0o644)
	link(t, dir, "link", "a")
	image := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress")
	r := openImage(t, image)
	for _, test := range []struct {
		path string
		mode fs.FileMode
		err  error
	}{
		{"", fs.ModeDir, nil},
		{".", fs.ModeDir, nil},
		{"/", fs.ModeDir, nil},
		{"a", fs.ModeDir, nil},
		{"a/b/c", 0, nil},
		{"/a//b/", fs.ModeDir, nil},
		{"link", fs.ModeSymlink, nil},
		{"link/b", 0, fs.ErrNotExist},
		{"a/b/c/d", 0, fs.ErrNotExist},
		{"a/a", 0, fs.ErrNotExist},
		{"a/z", 0, fs.ErrNotExist},
		{"a/\xff", 0, fs.ErrNotExist},
	} {
		ino, err := r.Lookup(test.path)
		if !errors.Is(err, test.err) || err == nil && ino.Mode.Type() != test.mode {
			t.Errorf("Lookup(%q) = %s, %v, want type %s, %v", test.path, ino.Mode, err, test.mode, test.err)
		}
	}
}

func TestWalkSkipsDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/1", "b/2/3", "b/4", "c"} {
		write(t, dir, name, nil, 0o644)
	}
	image := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress")
	var got []string
	stop := errors.New("stop")
	err := openImage(t, image).Walk(func(path string, _ Inode) error {
		got = append(got, path)
		switch path {
		case "b":
			return fs.SkipDir
		case "c":
			return stop
		}
		return nil
	})
	if want := ". a a/1 b c"; strings.Join(got, " ") != want || err != stop {
		t.Errorf("Walk visited %q and returned %v, want %q and %v", got, err, want, stop)
	}
}

func TestFS(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/b/file", bytes.Repeat([]byte("text"), 3000), 0o644)
	write(t, dir, "a/empty", nil, 0o644)
	link(t, dir, "a/up", "../a/b/file")
	link(t, dir, "a/b/absolute", "/a/empty")
	link(t, dir, "dirlink", "a/b")
	link(t, dir, "chain", "dirlink/../up")
	mustDo(t, os.Mkdir(filepath.Join(dir, "none"), 0o755))
	image := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress", "-b", "4K")
	fsys := openImage(t, image).FS()
	if err := fstest.TestFS(fsys, "a/b/file", "a/empty", "a/up", "a/b/absolute", "dirlink", "chain", "none"); err != nil {
		t.Error(err)
	}
	got, err := fs.ReadFile(fsys, "chain")
	if err != nil || len(got) != 12000 {
		t.Errorf("ReadFile(chain) = %d bytes, %v, want 12000", len(got), err)
	}

	dir = t.TempDir()
	link(t, dir, "self", "self")
	link(t, dir, "out", "../../../../etc/passwd")
	image = filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, image, "-quiet", "-no-progress")
	fsys = openImage(t, image).FS()
	for _, name := range []string{"self", "out", "nothing", "../x"} {
		if _, err := fsys.Open(name); err == nil {
			t.Errorf("Open(%q) succeeds", name)
		}
	}
}
