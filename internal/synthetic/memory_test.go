package synthetic

import (
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// What packing keeps of each file, in bytes: 35 when all files are known and 69 while tables are
// written, when this was made. With names in structs it was 208 and 322.
const (
	scannedMax = 60
	packedMax  = 110
)

// TestMemoryPerFile holds what is in memory for 100,000 more files against limits: on the heap, after
// all garbage is gone.
func TestMemoryPerFile(t *testing.T) {
	const fewer, more = 50_000, 150_000
	scanned, packed := heap(t, fewer)
	scannedMore, packedMore := heap(t, more)
	for _, at := range []struct {
		when        string
		fewer, more uint64
		most        int
	}{{"scanned", scanned, scannedMore, scannedMax}, {"packed", packed, packedMore, packedMax}} {
		each := (int(at.more) - int(at.fewer)) / (more - fewer)
		t.Logf("%s: %d bytes for each file", at.when, each)
		if each < 0 || each > at.most {
			t.Errorf("%s: %d bytes for each file, at most %d are meant", at.when, each, at.most)
		}
	}
}

// heap is how many bytes are in use when a closure is scanned, and when its inode table has been written.
func heap(t *testing.T, files int) (scanned, packed uint64) {
	c, err := codec.New(codec.Settings{Name: codec.LZ4}, squashfs.MinBlockSize)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := squashfs.NewTree(t.Context(), New(Shape{Paths: files / 100, Files: files}))
	if err != nil {
		t.Fatal(err)
	}
	scanned = inUse()
	// The first image tells where its directory table is, which is written behind the inodes.
	head := &headKeeper{}
	opts := squashfs.Options{Codec: c, Workers: 1}
	if _, err := tree.Write(t.Context(), head, opts); err != nil {
		t.Fatal(err)
	}
	const dirTable = 72 // squashfs_fs.h, struct squashfs_super_block: directory_table_start
	when := &headKeeper{from: int64(binary.LittleEndian.Uint64(head.head[dirTable:]))}
	if _, err := tree.Write(t.Context(), when, opts); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(tree)
	return scanned, when.used
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// headKeeper keeps the first bytes of an image, and how much memory was in use when it was written
// up to some place.
type headKeeper struct {
	head [96]byte
	from int64
	used uint64
}

var _ io.WriterAt = (*headKeeper)(nil)

func (k *headKeeper) WriteAt(p []byte, off int64) (int, error) {
	if off == 0 {
		copy(k.head[:], p)
	}
	if k.from > 0 && k.used == 0 && off >= k.from {
		k.used = inUse()
	}
	return len(p), nil
}
