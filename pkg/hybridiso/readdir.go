package hybridiso

import (
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode/utf16"
)

// Entry is a file or directory of a volume.
type Entry struct {
	Path     string      // slash separated, without leading slash; "." for the root
	Mode     fs.FileMode // type and permissions
	Size     int64       // of a regular file, in bytes
	Target   string      // of a symbolic link
	Extents  []Extent    // of a regular file, in order; the content is all of them
	UID, GID uint32
	ModTime  time.Time // zero if it is not recorded
	Record   int64     // where the directory record begins, the first of several, in bytes; -1 for the root
	Zisofs   bool      // the content is compressed, as the extension ZF says, and is read as it is; see OpenZisofs
	Unpacked int64     // of a file with Zisofs, its size uncompressed, as the extension says

	block int64 // of a directory
	bytes int64 // that a directory takes
}

// Extent is a run of bytes of the volume.
type Extent struct {
	Offset, Size int64
}

// The bounds of what is read from a volume that may be hostile.
const (
	maxDirectoryBytes = 16 << 20
	maxContinuations  = 32      // as Linux has it (fs/isofs/rock.c, RR_MAX_CE_ENTRIES)
	maxCached         = 1 << 17 // entries of directories that are kept
)

// isoDirectory is what a directory holds. It is not changed once it is made.
type isoDirectory struct {
	entries []Entry
	byName  map[string]int // by name, and for other names than Rock Ridge's by that in upper case
}

// directory reads the directory that dir is.
func (r *Reader) directory(dir Entry) (*isoDirectory, error) {
	r.mu.Lock()
	known := r.directories[dir.Record]
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if err := r.claim(dir); err != nil {
		return nil, fmt.Errorf("directory %q: %w", dir.Path, err)
	}
	d := &isoDirectory{byName: map[string]int{}}
	if err := r.readDirectory(dir, d); err != nil {
		return nil, fmt.Errorf("directory %q: %w", dir.Path, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cached += len(d.entries) + 1; r.cached > maxCached {
		clear(r.directories)
		r.cached = len(d.entries) + 1
	}
	r.directories[dir.Record] = d
	return d, nil
}

// claim makes the blocks of a directory its own: any other that shares one with
// it is an error, since directories that hold each other could make a small
// volume an endless tree.
func (r *Reader) claim(dir Entry) error {
	if dir.bytes > maxDirectoryBytes {
		return fmt.Errorf("has %d bytes, more than %d", dir.bytes, maxDirectoryBytes)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for block := dir.block; block < dir.block+blocksOf(dir.bytes) && block*blockSize < r.size; block++ {
		if owner, ok := r.claims[block]; ok && owner != dir.Record {
			return fmt.Errorf("is met twice")
		}
		r.claims[block] = dir.Record
	}
	return nil
}

func (r *Reader) readDirectory(dir Entry, d *isoDirectory) error {
	if dir.bytes > r.size {
		return fmt.Errorf("of %d bytes in an image of %d", dir.bytes, r.size)
	}
	content := make([]byte, dir.bytes)
	start := dir.block * blockSize
	if err := r.readAt(content, start); err != nil {
		return err
	}
	rock := &rockReader{r: r, budget: maxDirectoryBytes}
	continued := false // the last entry goes on in the next record
	for offset := int64(0); offset < dir.bytes; {
		if content[offset] == 0 { // no more records in this block
			offset = alignUp(offset+1, blockSize)
			continue
		}
		raw, err := recordAt(content, offset)
		if err != nil {
			return err
		}
		place := start + offset
		offset += int64(len(raw.bytes))
		if raw.identifier == selfIdentifier || raw.identifier == parentIdentifier || raw.Flags&flagAssociated != 0 {
			continue
		}
		var use rockRidge
		if r.naming == RockRidge {
			if use, err = rock.entries(raw.systemUse); err != nil {
				return err
			}
		}
		if use.relocated {
			continue // it is where its child link is
		}
		entry, err := r.entry(dir.Path, raw, use)
		if err != nil {
			return err
		}
		entry.Record = place
		if use.childBlock != 0 {
			if err := r.follow(&entry, int64(use.childBlock)); err != nil {
				return err
			}
		}
		if continued {
			last := &d.entries[len(d.entries)-1]
			if last.Path != entry.Path || !entry.Mode.IsRegular() {
				return fmt.Errorf("file %q: its last section is missing", last.Path)
			}
			last.Size += entry.Size
			last.Extents = append(last.Extents, entry.Extents...)
		} else if !d.add(entry, r.naming) {
			continue
		}
		continued = raw.Flags&flagMultiExtent != 0 && entry.Mode.IsRegular()
	}
	if continued {
		return fmt.Errorf("file %q: its last section is missing", d.entries[len(d.entries)-1].Path)
	}
	return nil
}

// add appends an entry, unless there is one of its name. Of the versions of a
// file the latest comes first (ECMA-119 §9.3).
func (d *isoDirectory) add(e Entry, naming Naming) bool {
	name := e.name()
	if _, ok := d.byName[name]; ok {
		return false
	}
	d.byName[name] = len(d.entries)
	if upper := strings.ToUpper(name); naming != RockRidge {
		if _, ok := d.byName[upper]; !ok {
			d.byName[upper] = len(d.entries)
		}
	}
	d.entries = append(d.entries, e)
	return true
}

// name is the last element of the path.
func (e Entry) name() string { return e.Path[strings.LastIndexByte(e.Path, '/')+1:] }

// rawRecord is a directory record in its parts.
type rawRecord struct {
	directoryRecord
	bytes      []byte
	identifier string
	systemUse  []byte
}

// recordAt returns the record at offset.
func recordAt(content []byte, offset int64) (rawRecord, error) {
	length := int(content[offset])
	if length < rootRecordLength || length > len(content[offset:]) {
		return rawRecord{}, fmt.Errorf("record at byte %d is damaged", offset)
	}
	raw := rawRecord{bytes: content[offset:][:length]}
	rest := decode(raw.bytes, &raw.directoryRecord)
	fixed := evenLength(directoryRecordLength + int(raw.IdentifierLength))
	if raw.IdentifierLength == 0 || directoryRecordLength+int(raw.IdentifierLength) > length {
		return rawRecord{}, fmt.Errorf("record at byte %d is damaged", offset)
	}
	raw.identifier = string(rest[:raw.IdentifierLength])
	raw.systemUse = raw.bytes[min(fixed, length):]
	return raw, nil
}

// entry returns the entry of one record in the directory at path.
func (r *Reader) entry(path string, raw rawRecord, use rockRidge) (Entry, error) {
	name := use.name
	if name == "" {
		name = r.plainName(raw.identifier)
	}
	if path != "." {
		name = path + "/" + name
	}
	if err := checkPath(name); err != nil {
		return Entry{}, fmt.Errorf("entry %q: %w", name, err)
	}
	entry := Entry{Path: name, Mode: 0o444, UID: use.uid, GID: use.gid, ModTime: raw.RecordingDate.time(), Zisofs: use.zisofs, Unpacked: use.unpacked}
	if !use.modified.IsZero() {
		entry.ModTime = use.modified
	}
	typ, known := posixTypes[use.mode&fileTypeMask]
	switch {
	case raw.Flags&flagDirectory != 0:
		entry.Mode = fs.ModeDir | 0o555
		entry.locate(raw.directoryRecord)
	case known:
		entry.Mode = typ | 0o444
		if typ == fs.ModeSymlink {
			entry.Mode, entry.Target = typ|0o777, use.target
		}
	default:
		entry.Size = int64(raw.DataLength.value())
		if entry.Size > 0 {
			entry.Extents = []Extent{{raw.start() * blockSize, entry.Size}}
		}
	}
	if use.mode != 0 {
		entry.Mode = entry.Mode.Type() | fs.FileMode(use.mode)&fs.ModePerm
	}
	return entry, nil
}

// plainName makes a name of an identifier, without version and a dot that
// separates nothing.
func (r *Reader) plainName(identifier string) string {
	if r.naming == Joliet {
		units := make([]uint16, len(identifier)/2)
		for i := range units {
			units[i] = uint16(identifier[2*i])<<8 | uint16(identifier[2*i+1])
		}
		identifier = string(utf16.Decode(units))
	}
	name, _, _ := strings.Cut(identifier, ";")
	if r.naming == Joliet {
		return name
	}
	return strings.TrimSuffix(name, ".")
}

// locate notes where a directory is.
func (e *Entry) locate(rec directoryRecord) {
	e.block, e.bytes = rec.start(), int64(rec.DataLength.value())
}

// start is the block at which the content of a record begins, behind an extended
// attribute record.
func (rec *directoryRecord) start() int64 {
	return int64(rec.Location.value()) + int64(rec.ExtendedAttributeRecordLength)
}

// follow makes an entry the directory that was moved to a block, whose own record
// tells its size (RRIP §4.1.5.1).
func (r *Reader) follow(e *Entry, block int64) error {
	self := make([]byte, blockSize)
	if err := r.readAt(self, block*blockSize); err != nil {
		return fmt.Errorf("entry %q: %w", e.Path, err)
	}
	raw, err := recordAt(self, 0)
	if err != nil {
		return fmt.Errorf("entry %q: %w", e.Path, err)
	}
	e.Mode = fs.ModeDir | e.Mode.Perm()
	e.Size, e.Extents, e.Target = 0, nil, ""
	e.block, e.bytes = block, int64(raw.DataLength.value())
	return nil
}
