package fat

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// Entry is a name in a directory.
type Entry struct {
	Name    string // the long one, if there is one
	Short   string // of at most 8 characters, a dot and 3
	Attr    uint8  // attributes, as DIR_Attr has them
	Size    int64  // of a file, in bytes
	ModTime time.Time
	Cluster uint32 // the first, 0 if the file is empty
	Offset  int64  // of the entry in the file system, in bytes
}

// Values of Entry.Attr besides those that the writer has.
const attrReadOnly = 0x01

// IsDir says whether the entry is a directory.
func (e Entry) IsDir() bool { return e.Attr&attrDirectory != 0 }

// Mode is the type of the entry and permissions as Linux gives them by default.
func (e Entry) Mode() fs.FileMode {
	mode := fs.FileMode(0o644)
	if e.IsDir() {
		mode = fs.ModeDir | 0o755
	}
	if e.Attr&attrReadOnly != 0 {
		mode &^= 0o222
	}
	return mode
}

// rootEntry is one for the root directory, which no directory has.
func rootEntry() Entry { return Entry{Name: ".", Attr: attrDirectory, Offset: -1} }

// directory is what one holds. It is not changed once it is made.
type directory struct {
	entries []Entry          // in the order of the medium, without "." and ".."
	byName  map[string]int   // by name in upper case
	label   string           // of the volume, in the root directory
	faults  map[int64]string // entries that cannot be used, by their places
}

// maxCached is how many entries of directories are kept, in all.
const maxCached = 2 * maxDirectory / entrySize

// directory reads the directory that dir leads to. Its clusters become its own:
// any other that shares one with it is an error, since directories that hold
// each other could make a small file system an endless tree.
func (r *Reader) directory(dir Entry) (*directory, error) {
	r.mu.Lock()
	known := r.directories[dir.Offset]
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	d := &directory{byName: map[string]int{}, faults: map[int64]string{}}
	if err := r.readDirectory(dir, d); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cached += len(d.entries) + 1; r.cached > maxCached {
		clear(r.directories)
		r.cached = len(d.entries) + 1
	}
	r.directories[dir.Offset] = d
	return d, nil
}

func (r *Reader) readDirectory(dir Entry, d *directory) error {
	p := entryParser{d: d, bits: r.info.Bits}
	first := dir.Cluster
	if dir.Offset < 0 {
		if r.info.Bits != 32 {
			return p.area(r, r.rootStart, r.rootLength)
		}
		first = r.rootCluster
	}
	chain := r.chain(first)
	for left := int64(maxDirectory); !p.done; left -= int64(r.info.ClusterSize) {
		c, err := chain.cluster()
		if err != nil || c == 0 {
			return err
		}
		if left <= 0 {
			return fmt.Errorf("a directory of more than %d bytes", maxDirectory)
		}
		if err := r.claim(c, dir.Offset); err != nil {
			return err
		}
		if err := p.area(r, r.place(c), int64(r.info.ClusterSize)); err != nil {
			return err
		}
	}
	return nil
}

// claim notes that a cluster is one of the directory whose entry is at a place.
func (r *Reader) claim(cluster uint32, entry int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if owner, ok := r.claims[cluster]; ok && owner != entry {
		return fmt.Errorf("cluster %d is one of another directory, too", cluster)
	}
	r.claims[cluster] = entry
	return nil
}

// entryParser makes entries of their 32-byte records.
type entryParser struct {
	d    *directory
	bits int // of the file system
	done bool

	long     []uint16 // of the name so far, from its end
	missing  int      // pieces of it
	checksum uint8
}

// area reads a part of the directory.
func (p *entryParser) area(r *Reader, at, length int64) error {
	b := make([]byte, length)
	if err := r.readAt(b, at); err != nil {
		return err
	}
	for ; len(b) >= entrySize && !p.done; b = b[entrySize:] {
		p.record(b[:entrySize], at)
		at += entrySize
	}
	return nil
}

// Values of the first byte of a record (page 23).
const (
	recordEnd     = 0x00
	recordDeleted = 0xE5
	recordKanji   = 0x05 // stands for 0xE5
)

func (p *entryParser) record(b []byte, at int64) {
	var e dirEntry
	decode(b, &e)
	switch {
	case b[0] == recordEnd:
		p.done = true
	case b[0] == recordDeleted:
		p.missing, p.long = 0, nil
	case e.Attr&attrLongName == attrLongName:
		p.piece(b)
	case e.Attr&attrVolumeID != 0:
		if p.d.label == "" {
			p.d.label = oemText(e.Name[:])
		}
		p.missing, p.long = 0, nil
	default:
		p.short(e, at)
		p.missing, p.long = 0, nil
	}
}

// piece takes a piece of a long name. One that does not fit those before it
// makes the name void, as for Linux.
func (p *entryParser) piece(b []byte) {
	var l longEntry
	decode(b, &l)
	number := int(l.Ord &^ lastLongEntry)
	if l.Ord&lastLongEntry != 0 {
		p.missing, p.long, p.checksum = number, nil, l.Chksum
	}
	if number == 0 || number != p.missing || l.Chksum != p.checksum || number > (maxUnits+unitsPerLongEntry-1)/unitsPerLongEntry {
		p.missing, p.long = 0, nil
		return
	}
	p.missing--
	p.long = slices.Concat(l.Name1[:], l.Name2[:], l.Name3[:], p.long)
	if p.missing == 0 {
		p.missing = -1 // all there
	}
}

func (p *entryParser) short(e dirEntry, at int64) {
	raw := e.Name
	if raw[0] == recordKanji {
		raw[0] = recordDeleted
	}
	entry := Entry{
		Short:   joined(oemText(raw[:baseLength]), oemText(raw[baseLength:])),
		Attr:    e.Attr,
		Size:    int64(e.FileSize),
		ModTime: stamp{date: e.WrtDate, time: e.WrtTime}.moment(),
		Cluster: uint32(e.FstClusHI)<<16 | uint32(e.FstClusLO),
		Offset:  at,
	}
	if p.bits != 32 {
		entry.Cluster = uint32(e.FstClusLO) // the upper half is OS/2's
	}
	if entry.Short == "." || entry.Short == ".." {
		return
	}
	if entry.IsDir() {
		entry.Size = 0
	}
	entry.Name = shown(raw, e.NTRes)
	if p.missing == -1 && p.checksum == checksum(e.Name) {
		units := p.long
		if end := slices.Index(units, 0); end >= 0 {
			units = units[:end]
		}
		if len(units) > 0 && len(units) <= maxUnits {
			entry.Name = string(utf16.Decode(units))
		}
	}
	if !fs.ValidPath(entry.Name) || entry.Name == "." || strings.ContainsAny(entry.Name, "/\x00") {
		p.d.faults[at] = fmt.Sprintf("%q is not a file name", entry.Name)
		return
	}
	key := strings.ToUpper(entry.Name)
	if _, ok := p.d.byName[key]; ok {
		p.d.faults[at] = fmt.Sprintf("%q is there twice", entry.Name)
		return
	}
	p.d.byName[key] = len(p.d.entries)
	p.d.entries = append(p.d.entries, entry)
}

// find returns the entry of a name, long or short, in whatever case.
func (d *directory) find(name string) (Entry, error) {
	key := strings.ToUpper(name)
	if i, ok := d.byName[key]; ok {
		return d.entries[i], nil
	}
	for _, e := range d.entries {
		if strings.ToUpper(e.Short) == key {
			return e, nil
		}
	}
	return Entry{}, fs.ErrNotExist
}

// Flags in dirEntry.NTRes, by which Windows keeps names of lower case short.
const (
	lowerBase = 0x08
	lowerExt  = 0x10
)

// shown is a short name as people see it.
func shown(raw [11]byte, flags uint8) string {
	base, ext := raw[:baseLength], raw[baseLength:]
	if flags&lowerBase != 0 {
		base = bytes.ToLower(base)
	}
	if flags&lowerExt != 0 {
		ext = bytes.ToLower(ext)
	}
	return joined(oemText(base), oemText(ext))
}

// moment is the inverse of newStamp, zero if there is no such moment.
func (s stamp) moment() time.Time {
	year, month, day := int(s.date>>9)+minYear, time.Month(s.date>>5&0xF), int(s.date&0x1F)
	t := time.Date(year, month, day, int(s.time>>11), int(s.time>>5&0x3F), int(s.time&0x1F)*2, 0, time.UTC)
	if t.Month() != month || t.Day() != day {
		return time.Time{}
	}
	return t
}
