package carrier

import (
	"encoding/binary"
	"math/bits"
	"path"
	"strings"
	"unicode/utf16"
)

// Places and values of exFAT (exFAT file system specification 1.00; sections are of that).
const (
	exfatBoot     = 12  // sectors of a boot region, §3; there are two
	exfatTable    = 128 // sector that the table of clusters begins at
	exfatFirst    = 2   // the first cluster, §3.1.9
	exfatEnd      = 0xffffffff
	exfatEntry    = 32 // bytes of a directory entry, §6.2
	exfatLetters  = 15 // of a name in an entry, §7.7
	exfatRevision = 0x0100

	// Types of entries that are in use, §7.
	exfatBitmapEntry = 0x81
	exfatUpcaseEntry = 0x82
	exfatLabelEntry  = 0x83
	exfatFileEntry   = 0x85
	exfatStreamEntry = 0xc0
	exfatNameEntry   = 0xc1

	exfatFolder     = 0x10          // attribute, §7.4.4
	exfatDate       = 1<<16 | 1<<21 // 1980-01-01, §7.4.8
	exfatContiguous = 1 | 2         // AllocationPossible and NoFatChain, §6.3.4
)

// exfatVolume is a file system with one file, which lies behind all else.
type exfatVolume struct {
	cluster int64 // bytes
	heap    int64 // where clusters begin, in bytes
	count   int64 // of clusters
	table   []byte
	bitmap  []byte
	next    uint32 // cluster that nothing has
}

// exfat lays out an exFAT file system with the image: its size, all that comes before the image, and where that
// lies.
func exfat(size int64) (volume int64, head []byte, at int64) {
	v := &exfatVolume{cluster: 32 << 10, next: exfatFirst}
	if size > 32<<30 { // as Windows formats
		v.cluster = 128 << 10
	}
	upcase := exfatUpcase()
	data := (size + v.cluster - 1) / v.cluster
	v.count = data + 3 // the table of capitals, two directories, and then the bitmap
	for v.count < data+3+v.clusters((v.count+7)/8) {
		v.count = data + 3 + v.clusters((v.count+7)/8)
	}
	sectors := ((v.count+exfatFirst)*4 + sector - 1) / sector
	v.heap = (exfatTable*sector + sectors*sector + v.cluster - 1) / v.cluster * v.cluster
	v.table, v.bitmap = make([]byte, sectors*sector), make([]byte, (v.count+7)/8)
	binary.LittleEndian.PutUint32(v.table, 0xfffffff8) // §4.1.1
	binary.LittleEndian.PutUint32(v.table[4:], exfatEnd)

	bitmap, capitals := v.take(int64(len(v.bitmap))), v.take(int64(len(upcase)))
	root, folder := v.take(v.cluster), v.take(v.cluster)
	file := v.next
	for n := range data {
		v.use(file + uint32(n))
	}
	at = v.place(file)
	head = make([]byte, at)
	copy(head[exfatTable*sector:], v.table)
	copy(head[v.place(bitmap):], v.bitmap)
	copy(head[v.place(capitals):], upcase)
	label := utf16.Encode([]rune("CARRIER"))
	entries := make([]byte, 3*exfatEntry)
	entries[0], entries[1] = exfatLabelEntry, byte(len(label))
	for n, unit := range label {
		binary.LittleEndian.PutUint16(entries[2+2*n:], unit)
	}
	exfatAllocated(entries[exfatEntry:], exfatBitmapEntry, bitmap, int64(len(v.bitmap)))
	exfatAllocated(entries[2*exfatEntry:], exfatUpcaseEntry, capitals, int64(len(upcase)))
	binary.LittleEndian.PutUint32(entries[2*exfatEntry+4:], exfatSum(upcase, nil))
	dir, name := path.Split(strings.TrimPrefix(Path, "/"))
	copy(head[v.place(root):], append(entries, exfatNamed(strings.TrimSuffix(dir, "/"), exfatFolder, folder, v.cluster)...))
	copy(head[v.place(folder):], exfatNamed(name, 0, file, size))
	volume = v.heap + v.count*v.cluster
	boot := v.boot(volume, root)
	copy(head, boot)
	copy(head[exfatBoot*sector:], boot)
	return volume, head, at
}

// clusters is how many so many bytes take.
func (v *exfatVolume) clusters(size int64) int64 { return (size + v.cluster - 1) / v.cluster }

// place is where a cluster lies, in bytes.
func (v *exfatVolume) place(cluster uint32) int64 {
	return v.heap + int64(cluster-exfatFirst)*v.cluster
}

// use marks a cluster.
func (v *exfatVolume) use(cluster uint32) {
	n := cluster - exfatFirst
	v.bitmap[n/8] |= 1 << (n % 8)
}

// take gives clusters, in a chain, to so many bytes.
func (v *exfatVolume) take(size int64) (first uint32) {
	first = v.next
	for left := v.clusters(size); left > 0; left-- {
		v.use(v.next)
		next := v.next + 1
		if left == 1 {
			next = exfatEnd
		}
		binary.LittleEndian.PutUint32(v.table[4*int64(v.next):], next)
		v.next++
	}
	return first
}

// boot is a boot region.
func (v *exfatVolume) boot(volume int64, root uint32) []byte {
	b := make([]byte, exfatBoot*sector)
	copy(b, "\xeb\x76\x90EXFAT   ")
	binary.LittleEndian.PutUint64(b[64:], start/sector)
	binary.LittleEndian.PutUint64(b[72:], uint64(volume/sector))
	binary.LittleEndian.PutUint32(b[80:], exfatTable)
	binary.LittleEndian.PutUint32(b[84:], uint32(len(v.table)/sector))
	binary.LittleEndian.PutUint32(b[88:], uint32(v.heap/sector))
	binary.LittleEndian.PutUint32(b[92:], uint32(v.count))
	binary.LittleEndian.PutUint32(b[96:], root)
	binary.LittleEndian.PutUint32(b[100:], 0x11111111)
	binary.LittleEndian.PutUint16(b[104:], exfatRevision)
	b[108], b[109] = byte(bits.TrailingZeros(sector)), byte(bits.TrailingZeros64(uint64(v.cluster/sector)))
	b[110], b[111], b[112] = 1, 0x80, 0xff // one table, the drive, of which it is not known how much is used
	for n := range 9 {                     // the boot sector and the extended ones
		binary.LittleEndian.PutUint16(b[n*sector+510:], 0xaa55)
	}
	sum := exfatSum(b[:(exfatBoot-1)*sector], func(at int) bool { return at == 106 || at == 107 || at == 112 })
	for at := (exfatBoot - 1) * sector; at < len(b); at += 4 {
		binary.LittleEndian.PutUint32(b[at:], sum)
	}
	return b
}

// exfatSum is the checksum of a boot region, §3.4, and of the table of capitals, §7.2.2, without some bytes.
func exfatSum(b []byte, without func(int) bool) (sum uint32) {
	for at, c := range b {
		if without == nil || !without(at) {
			sum = bits.RotateLeft32(sum, -1) + uint32(c)
		}
	}
	return sum
}

// exfatUpcase is the table of capitals of ASCII, which is enough for the names here; runs of letters that are their own
// capitals are shortened, §7.2.5.
func exfatUpcase() (b []byte) {
	add := func(units ...uint16) {
		for _, unit := range units {
			b = binary.LittleEndian.AppendUint16(b, unit)
		}
	}
	add(0xffff, 'a')
	for unit := uint16('A'); unit <= 'Z'; unit++ {
		add(unit)
	}
	add(0xffff, 0xffff-'z')
	return b
}

// exfatAllocated is an entry for what has clusters and no name.
func exfatAllocated(entry []byte, kind byte, cluster uint32, size int64) {
	entry[0] = kind
	binary.LittleEndian.PutUint32(entry[20:], cluster)
	binary.LittleEndian.PutUint64(entry[24:], uint64(size))
}

// exfatNamed are the entries of a file or folder whose clusters follow each other, §7.4 to §7.7. The name is of ASCII.
func exfatNamed(name string, attributes uint16, cluster uint32, size int64) []byte {
	names := (len(name) + exfatLetters - 1) / exfatLetters
	b := make([]byte, (2+names)*exfatEntry)
	b[0], b[1] = exfatFileEntry, byte(1+names)
	binary.LittleEndian.PutUint16(b[4:], attributes)
	for _, field := range []int{8, 12, 16} {
		binary.LittleEndian.PutUint32(b[field:], exfatDate)
	}
	stream := b[exfatEntry:]
	exfatAllocated(stream, exfatStreamEntry, cluster, size)
	stream[1], stream[3] = exfatContiguous, byte(len(name))
	binary.LittleEndian.PutUint64(stream[8:], uint64(size)) // that are valid
	var hash, sum uint16
	for _, c := range []byte(strings.ToUpper(name)) {
		hash = bits.RotateLeft16(hash, -1) + uint16(c)
		hash = bits.RotateLeft16(hash, -1) // and the upper byte of the letter, 0
	}
	binary.LittleEndian.PutUint16(stream[4:], hash)
	for n, c := range []byte(name) {
		entry := b[(2+n/exfatLetters)*exfatEntry:]
		entry[0] = exfatNameEntry
		entry[2+2*(n%exfatLetters)] = c
	}
	for n, c := range b {
		if n != 2 && n != 3 {
			sum = bits.RotateLeft16(sum, -1) + uint16(c)
		}
	}
	binary.LittleEndian.PutUint16(b[2:], sum)
	return b
}
