package squashfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// TestBlocks compares where files lie with what rdsquashfs says of images of two
// makers, and with what is there where nothing is compressed.
func TestBlocks(t *testing.T) {
	dir := oddTree(t)
	files := []string{"sizes/text-0", "sizes/text-1", "sizes/text-131073", "sizes/noise-1053576", "zeros", "holes", "equal/large-1", "three"}
	for _, p := range packers() {
		switch p.name {
		case "mksquashfs -comp gzip -b 128K", "mksquashfs -noI -noD -noF -noX -b 128K", "gensquashfs -c zstd -b 4096 -x":
		default:
			continue
		}
		image := filepath.Join(t.TempDir(), "image")
		p.pack(t, dir, image)
		r := openImage(t, image)
		raw, err := os.ReadFile(image)
		mustDo(t, err)
		for _, name := range files {
			ino, err := r.Lookup(name)
			mustDo(t, err)
			b, err := r.Blocks(ino)
			if err != nil {
				t.Fatalf("%s: Blocks of %s: %v", p.name, name, err)
			}
			said := judge.Run(t, "squashfs-tools-ng", "rdsquashfs", "-s", name, image)
			if got, want := b.sketch(), sketchOf(said); got != want {
				t.Errorf("%s: %s lies in\n%s\nrdsquashfs says\n%s", p.name, name, got, want)
			}
			if strings.Contains(p.name, "-noD") {
				want, err := os.ReadFile(filepath.Join(dir, name))
				mustDo(t, err)
				if got := b.contents(raw, int(r.sb.BlockSize), len(want)); !bytes.Equal(got, want) {
					t.Errorf("%s: the blocks of %s hold something else", p.name, name)
				}
			}
		}
	}
}

// sketch is what rdsquashfs says of the blocks, in a line for each.
func (b Blocks) sketch() string {
	var s strings.Builder
	for i, d := range b.Data {
		fmt.Fprintf(&s, "#%d %d %t\n", i, d.Size, d.Stored)
	}
	for _, d := range b.Data {
		if d.Size > 0 {
			fmt.Fprintf(&s, "from %d\n", d.Offset)
			break
		}
	}
	if b.Tail > 0 {
		fmt.Fprintf(&s, "tail %d %d\n", b.FragmentNumber, b.FragmentOffset)
	}
	return s.String()
}

func sketchOf(said string) string {
	var s strings.Builder
	some := false
	for _, m := range regexp.MustCompile(`Block #(\d+) size: (\d+) \((\w+)\)`).FindAllStringSubmatch(said, -1) {
		fmt.Fprintf(&s, "#%s %s %t\n", m[1], m[2], m[3] == "uncompressed")
		some = some || m[2] != "0"
	}
	if m := regexp.MustCompile(`Blocks start: (\d+)`).FindStringSubmatch(said); some {
		fmt.Fprintf(&s, "from %s\n", m[1])
	}
	var number, offset uint32
	at := strings.Index(said, "Fragment index:")
	if n, _ := fmt.Sscanf(said[max(0, at):], "Fragment index: %v\nFragment offset: %d", &number, &offset); n == 2 && number != disk.InvalidFragment {
		fmt.Fprintf(&s, "tail %d %d\n", number, offset)
	}
	return s.String()
}

// contents puts a file of size bytes together from an image in which nothing is
// compressed.
func (b Blocks) contents(image []byte, blockSize, size int) []byte {
	var p []byte
	for i, d := range b.Data {
		length := min(blockSize, size-b.Tail-i*blockSize)
		if d.Size == 0 {
			p = append(p, make([]byte, length)...)
			continue
		}
		p = append(p, image[d.Offset:][:d.Size]...)
	}
	return append(p, image[b.Fragment.Offset:][b.FragmentOffset:][:b.Tail]...)
}
