package squashfs

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// The images of the reader's tests come from other people's writers:
// mksquashfs and sqfstar (squashfs-tools), gensquashfs and tar2sqfs
// (squashfs-tools-ng).

// packer makes an image of a directory.
type packer struct {
	name  string // for people
	keeps kept
	pack  func(t testing.TB, dir, image string)
}

// kept is what a writer takes over from the host beside names, types,
// permissions and contents.
type kept struct {
	attributes bool // owners and times
	hardLinks  bool
}

// packers are both tools with every compressor and the options that change
// what an image looks like.
func packers() []packer {
	var list []packer
	for _, options := range []string{
		"-comp gzip -b 128K",
		"-comp gzip -b 4K -no-fragments",
		"-comp gzip -Xcompression-level 1 -Xwindow-size 9 -b 1M",
		"-comp xz -b 128K",
		"-comp xz -Xbcj x86 -Xdict-size 50% -b 1M",
		"-comp xz -Xbcj arm,powerpc -b 128K",
		"-comp lz4 -b 128K",
		"-comp lz4 -Xhc -b 1M -always-use-fragments",
		"-comp lzo -b 128K",
		"-comp lzo -Xalgorithm lzo1x_1 -b 1M",
		"-comp zstd -b 4K -no-exports",
		"-comp zstd -Xcompression-level 6 -b 1M",
		"-noI -noD -noF -noX -b 128K",
		"-noI -b 4K -no-duplicates -always-use-fragments",
		"-noD -noF -b 4K -no-hardlinks",
	} {
		list = append(list, packer{"mksquashfs " + options, kept{true, !strings.Contains(options, "-no-hardlinks")}, func(t testing.TB, dir, image string) {
			args := []string{dir, image, "-noappend", "-no-progress", "-quiet"}
			judge.Run(t, "squashfs-tools", "mksquashfs", append(args, strings.Fields(options)...)...)
		}})
	}
	for _, options := range []string{
		"-c gzip -b 4096",
		"-c gzip -b 131072 -e -T",
		"-c xz -b 131072 -e",
		"-c xz -X x86,dictsize=512K -b 1048576",
		"-c lz4 -b 131072",
		"-c lz4 -X hc -b 4096 -e",
		"-c lzo -b 131072 -e",
		"-c zstd -b 1048576 -e",
		"-c zstd -b 4096 -x",
	} {
		list = append(list, packer{"gensquashfs " + options, kept{attributes: true}, func(t testing.TB, dir, image string) {
			args := []string{"-D", dir, "-k", "-q"}
			args = append(args, strings.Fields(options)...)
			judge.Run(t, "squashfs-tools-ng", "gensquashfs", append(args, image)...)
		}})
	}
	return list
}

// openImage opens an image file, which stays open until the test ends.
func openImage(t testing.TB, image string) *Reader {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(f, info.Size())
	if err != nil {
		t.Fatalf("opening %s: %v", image, err)
	}
	return r
}

// openBytes opens an image in memory.
func openBytes(t testing.TB, image []byte) *Reader {
	t.Helper()
	r, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// oddTree makes a directory with everything that a reader can meet and that
// does not need to be root.
func oddTree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<20+5000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	text := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog\n", 25000))
	program, err := os.ReadFile("/proc/self/exe") // for BCJ filters, which change machine code only
	if err != nil {
		t.Fatal(err)
	}

	for _, size := range []int{0, 1, 4095, 4096, 4097, 131071, 131072, 131073, 1<<20 - 1, 1 << 20, 1<<20 + 1} {
		write(t, dir, fmt.Sprintf("sizes/text-%d", size), text[:size], 0o644)
	}
	for _, size := range []int{1, 4096, 4097, 131073, 1<<20 + 5000} {
		write(t, dir, fmt.Sprintf("sizes/noise-%d", size), noise[:size], 0o644)
	}
	write(t, dir, "code", program[:min(len(program), 300<<10)], 0o644)
	write(t, dir, "zeros", make([]byte, 300000), 0o644)
	write(t, dir, "holes", append(make([]byte, 300000), "end"...), 0o644)
	for i := range 3 {
		write(t, dir, fmt.Sprintf("equal/large-%d", i), noise[1000:300000], 0o644)
		write(t, dir, fmt.Sprintf("equal/small-%d", i), text[:777], 0o644)
	}

	write(t, dir, "names/\xff\xfe not UTF-8 \x80", []byte("1"), 0o644)
	write(t, dir, "names/line\nfeed", []byte("2"), 0o644)
	write(t, dir, "names/ leading space", []byte("3"), 0o644)
	write(t, dir, "names/quote\"back\\slash*?[", []byte("4"), 0o644)
	write(t, dir, "names/"+strings.Repeat("n", 255), []byte("5"), 0o644)
	write(t, dir, "names/äöü", []byte("6"), 0o644)
	write(t, dir, "names/.hidden/x", []byte("7"), 0o644)
	write(t, dir, strings.Repeat("deep/", 100)+"file", []byte("8"), 0o644)

	for i := range 300 {
		link(t, dir, fmt.Sprintf("links/%03d", i), fmt.Sprintf("/nix/store/%d/%s", i, strings.Repeat("t", i)))
	}
	link(t, dir, "names/link", "\xff\xfe not UTF-8 \x80")
	link(t, dir, "long", strings.Repeat("x/", 2000))
	mustDo(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700))

	write(t, dir, "hard/one", text[:10000], 0o644)
	mustDo(t, os.Link(filepath.Join(dir, "hard/one"), filepath.Join(dir, "hard/two")))
	mustDo(t, os.Link(filepath.Join(dir, "hard/one"), filepath.Join(dir, "three")))

	chmod(t, filepath.Join(dir, "code"), 0o755|fs.ModeSetuid)
	mustDo(t, os.Chmod(filepath.Join(dir, "empty"), 0o1777|fs.ModeSticky))
	mustDo(t, os.Chmod(filepath.Join(dir, "zeros"), 0o400))
	mkfifo(t, filepath.Join(dir, "fifo"))
	return dir
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// packTar makes images of an archive of headers without contents, with each of
// the tools that read one from their standard input. An archive can hold what
// only root can make on a host, and many files at no cost.
func packTar(t testing.TB, headers []tar.Header) map[string]*Reader {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range headers {
		h.Format = tar.FormatPAX
		mustDo(t, w.WriteHeader(&h))
	}
	mustDo(t, w.Close())

	images := make(map[string]*Reader)
	for _, p := range []struct{ program, debianPackage, options string }{
		{"sqfstar", "squashfs-tools", "-comp zstd -quiet -no-progress"},
		{"tar2sqfs", "squashfs-tools-ng", "-c zstd -q -e"},
	} {
		image := filepath.Join(t.TempDir(), "image")
		cmd := exec.Command(judge.Path(t, p.debianPackage, p.program), append(strings.Fields(p.options), image)...)
		cmd.Stdin = bytes.NewReader(archive.Bytes())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", p.program, err, out)
		}
		images[p.program] = openImage(t, image)
	}
	return images
}
