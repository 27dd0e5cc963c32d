package testdisk

import (
	"encoding/binary"
	"os"
	"testing"
	"unicode/utf16"

	"github.com/livebuild/livebuild/internal/judge"
)

// Sizes of exFAT's directory entries, and their types, all in use (exFAT file system
// specification, §6.2, §7).
const (
	exfatEntry      = 32
	exfatBitmap     = 0x81
	exfatFile       = 0x85
	exfatStream     = 0xc0
	exfatName       = 0xc1
	exfatCharacters = 15 // of a name in an entry
)

// ExFAT makes a file of that size with an exFAT file system, which has one file in its root.
// Few kernels of machines that run tests can mount one, and no program puts files into it.
func ExFAT(t testing.TB, size int64, name string, content []byte) string {
	t.Helper()
	path := Sparse(t, size)
	judge.Run(t, "exfatprogs", "mkfs.exfat", path)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	at := func(b []byte, offset int64, what func([]byte, int64) (int, error)) {
		if _, err := what(b, offset); err != nil {
			t.Fatal(err)
		}
	}
	boot := make([]byte, 512)
	at(boot, 0, f.ReadAt)
	sector := int64(1) << boot[108]
	cluster := sector << boot[109]
	heap := int64(binary.LittleEndian.Uint32(boot[88:])) * sector
	place := func(number uint32) int64 { return heap + int64(number-2)*cluster }

	// The root, and where the bitmap of clusters is.
	root := make([]byte, cluster)
	rootAt := place(binary.LittleEndian.Uint32(boot[96:]))
	at(root, rootAt, f.ReadAt)
	end := 0
	var bitmap []byte
	var bitmapAt int64
	for ; root[end] != 0; end += exfatEntry {
		if root[end] == exfatBitmap {
			bitmapAt = place(binary.LittleEndian.Uint32(root[end+20:]))
			bitmap = make([]byte, binary.LittleEndian.Uint64(root[end+24:]))
		}
	}
	at(bitmap, bitmapAt, f.ReadAt)

	first := 0
	for n := range len(bitmap) * 8 {
		if bitmap[n/8]&(1<<(n%8)) != 0 {
			first = n + 1
		}
	}
	for n := range (int64(len(content)) + cluster - 1) / cluster {
		bitmap[(int64(first)+n)/8] |= 1 << ((int64(first) + n) % 8)
	}
	at(bitmap, bitmapAt, f.WriteAt)
	at(content, place(uint32(first+2)), f.WriteAt)
	copy(root[end:], exfatEntries(name, uint32(first+2), int64(len(content))))
	at(root, rootAt, f.WriteAt)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "exfatprogs", "fsck.exfat", "-n", path)
	return path
}

// exfatEntries are those of a file whose clusters follow each other, so that it needs no chain
// (§7.4 to §7.7). The name is of capital letters, digits and dots: its hash is that of capitals.
func exfatEntries(name string, cluster uint32, size int64) []byte {
	units := utf16.Encode([]rune(name))
	names := (len(units) + exfatCharacters - 1) / exfatCharacters
	b := make([]byte, (2+names)*exfatEntry)
	const archive, date, possible, contiguous = 0x20, 1<<16 | 1<<21, 1, 2 // 1980-01-01
	b[0], b[1], b[4] = exfatFile, byte(1+names), archive
	for _, field := range []int{8, 12, 16} {
		binary.LittleEndian.PutUint32(b[field:], date)
	}
	stream := b[exfatEntry:]
	stream[0], stream[1], stream[3] = exfatStream, possible|contiguous, byte(len(units))
	binary.LittleEndian.PutUint64(stream[8:], uint64(size))
	binary.LittleEndian.PutUint32(stream[20:], cluster)
	binary.LittleEndian.PutUint64(stream[24:], uint64(size))
	var hash, sum uint16
	for n, unit := range units {
		entry := b[(2+n/exfatCharacters)*exfatEntry:]
		entry[0] = exfatName
		binary.LittleEndian.PutUint16(entry[2+2*(n%exfatCharacters):], unit)
		for _, part := range []byte{byte(unit), byte(unit >> 8)} {
			hash = (hash<<15 | hash>>1) + uint16(part)
		}
	}
	binary.LittleEndian.PutUint16(stream[4:], hash)
	for n, part := range b {
		if n != 2 && n != 3 {
			sum = (sum<<15 | sum>>1) + uint16(part)
		}
	}
	binary.LittleEndian.PutUint16(b[2:], sum)
	return b
}
