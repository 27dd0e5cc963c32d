package codec

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestOptionSizes(t *testing.T) {
	for _, test := range []struct {
		options any
		want    int
	}{
		{gzipOptions{}, 8},
		{xzOptions{}, 8},
		{lz4Options{}, 8},
		{lz4Level{}, 4},
		{zstdOptions{}, 4},
	} {
		if got := binary.Size(test.options); got != test.want {
			t.Errorf("binary.Size(%T) = %d, want %d", test.options, got, test.want)
		}
	}
}

// superblock is the beginning of an image (squashfs_fs.h, struct squashfs_super_block), as far as the
// comparison with mksquashfs needs it.
type superblock struct {
	Magic, Inodes, MkfsTime, BlockSize, Fragments uint32
	Compression, BlockLog, Flags                  uint16
	_                                             [70]byte // tables
}

// storedOptions returns compressor id, options payload and block size of the image in file.
func storedOptions(t *testing.T, file string) (uint16, []byte, int) {
	t.Helper()
	const compressorOptions = 1 << 10 // SQUASHFS_COMP_OPT
	const uncompressed = 1 << 15      // SQUASHFS_COMPRESSED_BIT
	image, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var sb superblock
	n, err := binary.Decode(image, binary.LittleEndian, &sb)
	if err != nil {
		t.Fatal(err)
	}
	if sb.Flags&compressorOptions == 0 {
		return sb.Compression, nil, int(sb.BlockSize)
	}
	header := binary.LittleEndian.Uint16(image[n:])
	payload := image[n+binary.Size(header):]
	return sb.Compression, payload[:header&^uncompressed], int(sb.BlockSize)
}

// mksquashfs records the same payload for the same words, and Open understands it.
func TestOptionsOfMksquashfs(t *testing.T) {
	mksquashfs := judge.Path(t, "squashfs-tools", "mksquashfs")
	for _, text := range []string{
		"gzip -b 1M",
		"gzip -Xcompression-level 1 -b 128K",
		"gzip -Xcompression-level 9 -Xwindow-size 15 -b 1M",
		"lz4 -b 1M",
		"lz4 -Xhc -b 128K",
		"zstd -b 1M",
		"zstd -Xcompression-level 15 -b 1M",
		"zstd -Xcompression-level 19 -b 1M",
		"zstd -Xcompression-level 1 -b 4K",
		"xz -b 1M",
		"xz -b 4K",
		"xz -Xdict-size 100% -b 1M",
		"xz -Xdict-size 75% -b 128K",
		"xz -Xdict-size 8K -b 128K",
		"xz -Xdict-size 100% -Xbcj x86 -b 1M",
		"xz -Xbcj sparc,ia64,armthumb,arm,powerpc,x86 -b 256K",
	} {
		s, err := Parse(text)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
			continue
		}
		if s.Name == XZ && !haveXZ {
			continue
		}
		image := filepath.Join(t.TempDir(), "image")
		args := append([]string{t.TempDir(), image, "-quiet", "-no-progress", "-processors", "1", "-comp"}, strings.Fields(text)...)
		if out, err := exec.Command(mksquashfs, args...).CombinedOutput(); err != nil {
			t.Fatalf("mksquashfs %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		id, payload, blockSize := storedOptions(t, image)
		c := mustNew(t, s, blockSize)
		if c.ID() != id {
			t.Errorf("ID of %q = %d, mksquashfs has %d", text, c.ID(), id)
		}
		if got := c.Options(); !bytes.Equal(got, payload) {
			t.Errorf("Options of %q = %x, mksquashfs has %x", text, got, payload)
		}
		opened, err := Open(id, payload, blockSize)
		if err != nil || opened.Settings() != c.Settings() {
			t.Errorf("Open of mksquashfs' %q = %v, %v, want %v", text, opened, err, c.Settings())
		}
	}
}

func TestOpen(t *testing.T) {
	words := func(values ...int32) []byte {
		b, err := binary.Append(nil, binary.LittleEndian, values)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, test := range []struct {
		id      uint16
		payload []byte
		want    string // the settings; empty for an error
	}{
		{idGzip, nil, "gzip:9 -b 1M"},
		{idGzip, words(3, 15), "gzip:3 -b 1M"},
		{idGzip, words(3, 8|0x1F<<16), "gzip:3 -b 1M"}, // smaller window, all strategies
		{idGzip, words(0, 15), "gzip:1 -b 1M"},
		{idGzip, words(3), ""},
		{idZstd, nil, "zstd:15 -b 1M"},
		{idZstd, words(22), "zstd:22 -b 1M"},
		{idZstd, words(-5), "zstd:1 -b 1M"}, // squashfs-tools after 4.7.5
		{idZstd, []byte{1, 0, 0}, ""},
		{idLZ4, nil, ""},
		{idLZ4, words(1, 0), "lz4:1 -b 1M"},
		{idLZ4, words(1, 1), "lz4:hc -b 1M"},
		{idLZ4, words(1, 3, 9), "lz4:9 -b 1M"}, // squashfs-tools after 4.7.5
		{idLZ4, words(1, 2, 5), "lz4:1 -b 1M"}, // likewise: an acceleration
		{idLZ4, words(1, 3), ""},
		{idLZ4, words(2, 0), ""},
		{idLZ4, words(1), ""},
		{idXZ, nil, "xz:6 -b 1M"},
		{idXZ, words(1<<20, 1), "xz:6 -Xbcj x86 -b 1M"},
		{idXZ, words(3<<18, 0), "xz:6 -Xdict-size 768K -b 1M"},
		{idXZ, words(1<<24, 0), "xz:6 -b 1M"},
		{idXZ, words(1<<10, 0), "xz:6 -Xdict-size 8K -b 1M"},
		{idXZ, words(1<<20, 1<<30|1<<7), "xz:6 -Xbcj riscv -b 1M"}, // a filter of the future
		{idXZ, words(5<<10, 0), ""},
		{idXZ, words(0, 0), ""},
		{idXZ, words(-1<<31, 0), ""},
		{idXZ, words(1 << 20), ""},
	} {
		if test.id == idXZ && !haveXZ {
			continue
		}
		c, err := Open(test.id, test.payload, DefaultBlockSize)
		switch {
		case test.want == "" && err == nil:
			t.Errorf("Open(%d, %x) = %q, want an error", test.id, test.payload, c.Settings())
		case test.want != "" && err != nil:
			t.Errorf("Open(%d, %x) = %v, want %q", test.id, test.payload, err, test.want)
		case test.want != "" && c.Settings().String() != test.want:
			t.Errorf("Open(%d, %x) = %q, want %q", test.id, test.payload, c.Settings(), test.want)
		}
	}
	for _, blockSize := range []int{-1, 0, 1, MinBlockSize / 2, MinBlockSize + 1, 2 * MaxBlockSize} {
		if _, err := Open(idGzip, nil, blockSize); err == nil {
			t.Errorf("Open accepted blocks of %d bytes", blockSize)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range testSettings(f) {
		c := mustNew(f, s, DefaultBlockSize)
		f.Add(c.ID(), c.Options(), DefaultBlockSize)
	}
	f.Add(uint16(idLZ4), []byte{1, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0}, MinBlockSize)
	f.Fuzz(func(t *testing.T, id uint16, payload []byte, blockSize int) {
		c, err := Open(id, payload, blockSize)
		if err != nil {
			return
		}
		if _, err := formatOptions(c.Settings()); err != nil {
			t.Fatalf("Open(%d, %x, %d): options of its settings: %v", id, payload, blockSize, err)
		}
		again, err := Parse(c.Settings().String())
		if err != nil || again != c.Settings() {
			t.Fatalf("Open(%d, %x, %d): settings %q, parsed %q, %v", id, payload, blockSize, c.Settings(), again, err)
		}
	})
}
