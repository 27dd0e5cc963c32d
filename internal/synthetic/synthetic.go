// Package synthetic makes closures up, of any size, out of nothing but numbers: for measuring
// the packer instead of a disk.
package synthetic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"

	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Shape says how large a made-up closure is. All of it comes out of a generator: what is
// measured is the packer, not a disk.
type Shape struct {
	Paths int   `json:"paths"`           // store paths
	Files int   `json:"files"`           // regular files in all of them
	Bytes int64 `json:"bytes,omitempty"` // of large files beside those: half holes, half repeated content
}

const (
	filesInFolder = 200       // of a store path
	smallest      = 20        // bytes of a small file, and up to
	largest       = 1 << 11   // so many: the mean of many small files
	largeFile     = 4 << 30   // bytes of a large file
	repeated      = 256 << 20 // of content after which it comes again
)

// synthetic is a squashfs.Source of a made-up closure. Small files differ from each other: each is
// a piece of a text made of few words, as sources and documentation are, with its own number.
type synthetic struct {
	shape Shape
	text  []byte
}

// New returns a made-up closure of a shape.
func New(shape Shape) squashfs.Source {
	s := &synthetic{shape: shape}
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 4000)
	for i := range words {
		words[i] = strconv.FormatUint(random.Uint64N(1<<40), 36)
	}
	for len(s.text) < 1<<20 {
		s.text = append(append(s.text, words[random.IntN(1+random.IntN(len(words)))]...), ' ')
	}
	return s
}

func (s *synthetic) Root() (squashfs.Attributes, error) {
	return squashfs.Attributes{Mode: fs.ModeDir | 0o755}, nil
}

func (s *synthetic) pathName(i int) string {
	return fmt.Sprintf("%s-package-%d-1.%d", hash(i), i, i%7)
}

// hash is 32 letters of store paths that belong to a number.
func hash(i int) string {
	const letters = "0123456789abcdfghijklmnpqrsvwxyz"
	random := rand.New(rand.NewPCG(uint64(i), 3))
	b := make([]byte, 32)
	for at := range b {
		b[at] = letters[random.IntN(len(letters))]
	}
	return string(b)
}

// filesOf are the numbers of the small files of a store path.
func (s *synthetic) filesOf(i int) (from, to int) {
	return int(int64(i) * int64(s.shape.Files) / int64(s.shape.Paths)), int(int64(i+1) * int64(s.shape.Files) / int64(s.shape.Paths))
}

func (s *synthetic) ReadDir(dir string) ([]squashfs.Attributes, error) {
	if dir == "." {
		list := make([]squashfs.Attributes, s.shape.Paths)
		for i := range list {
			list[i] = squashfs.Attributes{Name: s.pathName(i), Mode: fs.ModeDir | 0o555}
		}
		for at := int64(0); at < s.shape.Bytes; at += largeFile {
			list = append(list, squashfs.Attributes{Name: fmt.Sprintf("large-%d", at/largeFile), Mode: 0o444, Size: min(largeFile, s.shape.Bytes-at)})
		}
		return list, nil
	}
	name, folder, inside := strings.Cut(dir, "/")
	parts := strings.Split(name, "-")
	i, err := strconv.Atoi(parts[2])
	if err != nil {
		return nil, err
	}
	from, to := s.filesOf(i)
	var list []squashfs.Attributes
	if !inside {
		for first := from; first < to; first += filesInFolder {
			list = append(list, squashfs.Attributes{Name: strconv.Itoa(first), Mode: fs.ModeDir | 0o555})
		}
		return list, nil
	}
	first, err := strconv.Atoi(folder)
	if err != nil {
		return nil, err
	}
	for n := first; n < min(first+filesInFolder, to); n++ {
		list = append(list, squashfs.Attributes{Name: fmt.Sprintf("file-%d.txt", n), Mode: 0o444, Size: sizeOf(n)})
	}
	return list, nil
}

// mixed spreads a number over 64 bits (splitmix64's finalizer).
func mixed(n int) uint64 {
	x := uint64(n) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// sizeOf is the size of a small file; of ten, nine are below the mean of all.
func sizeOf(n int) int64 {
	x := mixed(n)
	return int64(smallest + x%(1+(x>>32)%largest))
}

func (s *synthetic) Open(file string) (io.ReadCloser, error) {
	if number, ok := strings.CutPrefix(file, "large-"); ok {
		i, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, err
		}
		size := min(largeFile, s.shape.Bytes-i*largeFile)
		return readCloser{io.NewSectionReader(largeContent{s.text}, 0, size)}, nil
	}
	var n int
	if _, err := fmt.Sscanf(path.Base(file), "file-%d.txt", &n); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	content := fmt.Appendf(nil, "file %d\n", n)
	at := mixed(n) >> 16 % uint64(len(s.text)-smallest-largest)
	content = append(content, s.text[at:at+smallest+largest]...)
	return readCloser{io.NewSectionReader(bytes.NewReader(content), 0, sizeOf(n))}, nil
}

type readCloser struct{ *io.SectionReader }

func (readCloser) Close() error { return nil }

// largeContent is what a large file holds: 64 MiB of zeros, 64 MiB of the text, and so on, in which
// each MiB has its number, up to where it repeats.
type largeContent struct{ text []byte }

const stripe = 64 << 20

func (c largeContent) ReadAt(p []byte, off int64) (int, error) {
	for done := 0; done < len(p); {
		at := off + int64(done)
		n := min(len(p)-done, int(1<<20-at%(1<<20)))
		part := p[done : done+n]
		if at/stripe%2 == 0 {
			clear(part)
		} else {
			copy(part, c.text[at%(1<<20):])
			if at%(1<<20) == 0 && n >= 8 {
				binary.LittleEndian.PutUint64(part, mixed(int(at%repeated>>20)))
			}
		}
		done += n
	}
	return len(p), nil
}
