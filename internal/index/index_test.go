package index_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/testimage"
)

// TestRead holds every byte of an image against its index.
func TestRead(t *testing.T) {
	for name, opts := range map[string]testimage.Options{
		"a store":    {Packages: 3},
		"boot files": {Packages: 3, Boot: map[string]int{"boot/kernel": 1, "boot/initrd": 2}},
		"a late one": {Packages: 1, Late: true},
	} {
		t.Run(name, func(t *testing.T) {
			image := testimage.New(t, opts)
			// A disk is larger than what is on it.
			for _, more := range []int{0, 12345} {
				disk := append(bytes.Clone(image), make([]byte, more)...)
				x, err := index.Read(bytes.NewReader(disk), int64(len(disk)))
				if err != nil {
					t.Fatal(err)
				}
				if x.Size != int64(len(image)) {
					t.Errorf("%d bytes, want %d", x.Size, len(image))
				}
				checkCovers(t, x, image)
			}
		})
	}
}

// checkCovers checks that pieces have their sums, and that all else is zero.
func checkCovers(t *testing.T, x *index.Index, image []byte) {
	t.Helper()
	at, loose := int64(0), int64(0)
	for _, p := range x.Pieces {
		if len(bytes.Trim(image[at:p.Offset], "\x00")) > 0 {
			t.Errorf("bytes from %d to %d are in no piece", at, p.Offset)
		}
		at = p.End()
		if p.Loose {
			loose += p.Size
		} else if sha256.Sum256(image[p.Offset:at]) != p.Sum {
			t.Errorf("the %d bytes at %d have another sum", p.Size, p.Offset)
		}
	}
	if len(bytes.Trim(image[at:], "\x00")) > 0 || loose > 10 {
		t.Errorf("bytes from %d are in no piece, %d have no sum", at, loose)
	}
}

// TestSurvey finds the same in an image without an index, but for what is no file.
func TestSurvey(t *testing.T) {
	opts := testimage.Options{Packages: 2, Boot: map[string]int{"boot/kernel": 1}}
	image := testimage.New(t, opts)
	opts.NoIndex = true
	older := testimage.New(t, opts)
	if _, err := index.Read(bytes.NewReader(older), int64(len(older))); !errors.Is(err, index.ErrNone) {
		t.Errorf("the error is %v", err)
	}
	x, err := index.Survey(t.Context(), bytes.NewReader(older), int64(len(older)))
	if err != nil {
		t.Fatal(err)
	}
	known := map[[32]byte]bool{}
	for _, p := range x.Pieces {
		if sha256.Sum256(older[p.Offset:p.End()]) != p.Sum {
			t.Errorf("the %d bytes at %d have another sum", p.Size, p.Offset)
		}
		known[p.Sum] = true
	}
	whole, err := index.Read(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	missing := int64(0)
	for _, p := range whole.Pieces {
		if !known[p.Sum] {
			missing += p.Size
		}
	}
	if missing > 200_000 { // directories and tables of partitions, which have a size of their own, and the index
		t.Errorf("%d bytes of the image are not found in one without an index", missing)
	}
	if _, err := index.Survey(t.Context(), bytes.NewReader(make([]byte, 1<<20)), 1<<20); !errors.Is(err, index.ErrNone) {
		t.Errorf("of zeros: %v", err)
	}
}

// The table as it is in an image, for tests that forge it.
const (
	offsetPieceSize = 12
	offsetImageSize = 16
	offsetExtents   = 24
	offsetSums      = 28
	offsetLoose     = 32
	headerSize      = 72
)

// forge changes the table of an image and mends its sum.
func forge(t testing.TB, image []byte, change func(table []byte)) []byte {
	t.Helper()
	x, err := index.Read(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(image)
	table := forged[x.At.Offset:x.At.End()]
	change(table)
	sum := sha256.Sum256(table[:len(table)-32])
	copy(table[len(table)-32:], sum[:])
	return forged
}

// TestLies reads tables that claim what cannot be.
func TestLies(t *testing.T) {
	image := testimage.New(t, testimage.Options{Packages: 1, Boot: map[string]int{"boot/kernel": 1}})
	put := func(at int, value uint64) func([]byte) {
		return func(table []byte) { binary.LittleEndian.PutUint64(table[at:], value) }
	}
	put32 := func(at int, value uint32) func([]byte) {
		return func(table []byte) { binary.LittleEndian.PutUint32(table[at:], value) }
	}
	for name, change := range map[string]func([]byte){
		"larger than the file":       put(offsetImageSize, 1<<40),
		"smaller than its pieces":    put(offsetImageSize, 1<<16),
		"no size that can be":        put(offsetImageSize, 1<<63),
		"an extent outside":          put(headerSize+16, 1<<50),
		"an extent at the end":       put(headerSize+16, 1<<64-1),
		"an extent without an end":   put(headerSize+24, 1<<64-1),
		"an extent in the store":     put(headerSize+16, 1<<20),
		"two extents in one place":   put(headerSize+16, 0),
		"an empty extent":            put(headerSize+24, 0),
		"more extents than there is": put32(offsetExtents, 1<<18),
		"extents without a bound":    put32(offsetExtents, 1<<32-1),
		"fewer sums":                 put32(offsetSums, 1),
		"sums without a bound":       put32(offsetSums, 1<<32-1),
		"more loose than extents":    put32(offsetLoose, 1000),
		"tiny pieces":                put32(offsetPieceSize, 1),
		"no pieces":                  put32(offsetPieceSize, 0),
		"another version":            put32(8, 7),
		"of another store":           func(table []byte) { table[headerSize-1]++ },
	} {
		t.Run(name, func(t *testing.T) {
			forged := forge(t, image, change)
			if x, err := index.Read(bytes.NewReader(forged), int64(len(forged))); err == nil {
				t.Errorf("it is taken: %d pieces", len(x.Pieces))
			}
		})
	}
	x, err := index.Read(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(image)
	damaged[x.At.Offset+headerSize]++
	if _, err := index.Read(bytes.NewReader(damaged), int64(len(damaged))); err == nil {
		t.Error("a damaged table is taken")
	}
}
