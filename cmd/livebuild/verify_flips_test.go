package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/verify"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// TestVerifyFlips flips bytes anywhere in what the volume's files take and behind, but for those
// files that verify says it cannot check, and wants each found where it is.
// LIVEBUILD_FLIPS says how many; 'make test-long' flips 300.
func TestVerifyFlips(t *testing.T) {
	count := 30
	if text := os.Getenv("LIVEBUILD_FLIPS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	data := readFile(t, miniISO(t).File)
	places := newPlaces(t, data)
	random := rand.New(rand.NewPCG(14, 3))
	for range count {
		offset := places.choose(random)
		mask := byte(1 + random.IntN(255))
		data[offset] ^= mask
		findings := findingsIn(t, data)
		data[offset] ^= mask
		where, owners := places.at(offset)
		right := func(f verify.Finding) bool {
			if len(owners) > 0 {
				return slices.Contains(owners, filepath.Base(f.StorePath))
			}
			return strings.HasPrefix(f.Structure, where) || f.File == where || f.Offset == offset
		}
		if !slices.ContainsFunc(findings, right) {
			t.Errorf("byte %d ^ %#02x, in %q of %q: %v", offset, mask, where, owners, findings)
		}
	}
}

// findingsIn are those of an image in memory.
func findingsIn(t *testing.T, data []byte) (list []verify.Finding) {
	m, err := medium.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return []verify.Finding{{Structure: "volume", Offset: -1, Err: err}}
	}
	_, err = verify.Verify(context.Background(), m, verify.Options{Found: func(f verify.Finding) error {
		list = append(list, f)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// places tells what a byte of an image belongs to.
type places struct {
	start, end int64
	skip       []hybridiso.Extent // files that nothing vouches for
	files      []hybridiso.Entry
	store      int64
	blocks     map[int64]placedBlock // of the store image, by their places there
	starts     []int64               // sorted
}

type placedBlock struct {
	size   int64
	owners []string // base names of store paths
}

func newPlaces(t *testing.T, data []byte) *places {
	m, err := medium.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Verify(context.Background(), m, verify.Options{})
	if err != nil || report.Findings != 0 {
		t.Fatalf("an image that is good has %d findings (%v)", report.Findings, err)
	}
	p := &places{end: int64(len(data)), start: int64(len(data)), blocks: map[int64]placedBlock{}}
	entries, err := hybridiso.ReadTree(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		for _, x := range e.Extents {
			p.files = append(p.files, e)
			if x.Size > 0 {
				p.start = min(p.start, x.Offset)
			}
			if slices.Contains(report.Unproved, e.Path) {
				p.skip = append(p.skip, x)
			}
		}
	}
	section, err := medium.FindStore(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	_, p.store, _ = section.Outer()
	r, err := squashfs.Open(section, section.Size())
	if err != nil {
		t.Fatal(err)
	}
	err = r.Walk(func(path string, ino squashfs.Inode) error {
		if !ino.Mode.IsRegular() {
			return nil
		}
		blocks, err := r.Blocks(ino)
		if err != nil {
			return err
		}
		if blocks.Tail > 0 {
			blocks.Data = append(blocks.Data, blocks.Fragment)
		}
		base, _, _ := strings.Cut(path, "/")
		for _, b := range blocks.Data {
			known := p.blocks[b.Offset]
			known.size, known.owners = int64(b.Size), append(known.owners, base)
			p.blocks[b.Offset] = known
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for at := range p.blocks {
		p.starts = append(p.starts, at)
	}
	slices.Sort(p.starts)
	return p
}

func (p *places) choose(random *rand.Rand) int64 {
	for {
		offset := p.start + random.Int64N(p.end-p.start)
		skipped := func(x hybridiso.Extent) bool { return offset >= x.Offset && offset < x.Offset+x.Size }
		if !slices.ContainsFunc(p.skip, skipped) {
			return offset
		}
	}
}

// at returns the file of the volume, or the structure, that a byte is in, and the store paths that
// have a part in its block.
func (p *places) at(offset int64) (where string, owners []string) {
	for _, e := range p.files {
		for _, x := range e.Extents {
			if offset < x.Offset || offset >= x.Offset+x.Size {
				continue
			}
			switch e.Path {
			case medium.StoreImage:
				i, exact := slices.BinarySearch(p.starts, offset-p.store)
				if !exact {
					i--
				}
				if i >= 0 && offset-p.store < p.starts[i]+p.blocks[p.starts[i]].size {
					return "store path", p.blocks[p.starts[i]].owners
				}
				return "squashfs", nil
			case "boot/efi.img":
				return "EFI system partition", nil
			}
			return e.Path, nil
		}
	}
	return "backup GPT", nil
}
