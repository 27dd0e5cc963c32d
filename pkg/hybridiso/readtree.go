package hybridiso

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Entry is a file or directory of a volume.
type Entry struct {
	Path    string      // slash separated, without leading slash
	Mode    fs.FileMode // type and permissions
	Size    int64       // of a regular file, in bytes
	Target  string      // of a symbolic link
	Extents []Extent    // of a regular file, in order; the content is all of them
}

// Extent is a run of bytes of the volume.
type Extent struct {
	Offset, Size int64
}

// The bounds of what is read from a volume that may be hostile.
const (
	maxDirectoryBytes = 16 << 20
	maxContinuations  = 32 // as Linux has it (fs/isofs/rock.c, RR_MAX_CE_ENTRIES)
)

// ReadTree returns the entries of the primary hierarchy, parents before what
// is in them, in the order of their records. Names and modes are those of Rock
// Ridge; an entry without has its ISO 9660 identifier for a name.
//
// To read the volume of a partition, give it a section of the image.
func ReadTree(r io.ReaderAt) ([]Entry, error) {
	entries, err := readTree(r)
	if err != nil {
		return nil, fmt.Errorf("reading directories: %w", err)
	}
	return entries, nil
}

func readTree(r io.ReaderAt) ([]Entry, error) {
	block := make([]byte, blockSize)
	if err := readAt(r, block, descriptorBlock*blockSize); err != nil {
		return nil, err
	}
	var primary volumeDescriptor
	decode(block, &primary)
	if primary.Type != typePrimary || primary.StandardIdentifier != standardIdentifier {
		return nil, ErrNoVolume
	}
	var root directoryRecord
	decode(primary.RootDirectoryRecord[:], &root)

	t := treeReader{r: r, seen: make(map[uint32]bool)}
	if err := t.directory("", root); err != nil {
		return nil, err
	}
	return t.entries, nil
}

// treeReader is the state of one walk.
type treeReader struct {
	r       io.ReaderAt
	skip    int             // bytes before the system use entries of each record
	read    int64           // bytes of directories so far
	seen    map[uint32]bool // directories by block, against cycles
	entries []Entry
}

// directory adds the entries of the directory at path and of those below it.
func (t *treeReader) directory(path string, self directoryRecord) error {
	block, size := self.Location.value(), int64(self.DataLength.value())
	t.read += size
	switch {
	case t.seen[block]:
		return fmt.Errorf("directory %q is met twice", path)
	case t.read > maxDirectoryBytes:
		return fmt.Errorf("directory %q: more than %d bytes of directories", path, maxDirectoryBytes)
	}
	t.seen[block] = true
	content := make([]byte, size)
	if err := readAt(t.r, content, int64(block)*blockSize); err != nil {
		return fmt.Errorf("directory %q: %w", path, err)
	}

	type subdirectory struct {
		path   string
		record directoryRecord
	}
	var below []subdirectory
	continued := false // the last entry goes on in the next record
	for offset := int64(0); offset < size; {
		if content[offset] == 0 { // no more records in this block
			offset = alignUp(offset+1, blockSize)
			continue
		}
		raw, err := recordAt(content, offset)
		if err != nil {
			return fmt.Errorf("directory %q: %w", path, err)
		}
		offset += int64(len(raw.bytes))

		use, err := t.systemUse(raw, path == "" && raw.identifier == selfIdentifier)
		if err != nil {
			return fmt.Errorf("directory %q: %w", path, err)
		}
		if raw.identifier == selfIdentifier || raw.identifier == parentIdentifier {
			continue
		}
		entry, err := newEntry(path, raw, use)
		if err != nil {
			return fmt.Errorf("directory %q: %w", path, err)
		}
		if continued {
			last := &t.entries[len(t.entries)-1]
			if last.Path != entry.Path || !entry.Mode.IsRegular() {
				return fmt.Errorf("file %q: its last section is missing", last.Path)
			}
			last.Size += entry.Size
			last.Extents = append(last.Extents, entry.Extents...)
		} else {
			t.entries = append(t.entries, entry)
		}
		continued = raw.Flags&flagMultiExtent != 0 && entry.Mode.IsRegular()
		if entry.Mode.IsDir() {
			below = append(below, subdirectory{entry.Path, raw.directoryRecord})
		}
	}
	if continued {
		return fmt.Errorf("file %q: its last section is missing", t.entries[len(t.entries)-1].Path)
	}
	for _, d := range below {
		if err := t.directory(d.path, d.record); err != nil {
			return err
		}
	}
	return nil
}

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

// newEntry returns the entry of one record in the directory at path.
func newEntry(path string, raw rawRecord, use rockRidge) (Entry, error) {
	name := use.name
	if name == "" {
		name, _, _ = strings.Cut(raw.identifier, ";")
		name = strings.TrimSuffix(name, ".")
	}
	if path != "" {
		name = path + "/" + name
	}
	entry := Entry{Path: name, Mode: 0o444}
	if err := checkPath(name); err != nil {
		return Entry{}, fmt.Errorf("entry %q: %w", name, err)
	}
	switch {
	case raw.Flags&flagDirectory != 0:
		entry.Mode = fs.ModeDir | 0o555
	case use.mode&fileTypeMask == fileTypeLink:
		entry.Mode = fs.ModeSymlink | 0o777
		entry.Target = use.target
	default:
		entry.Size = int64(raw.DataLength.value())
		if entry.Size > 0 {
			entry.Extents = []Extent{{int64(raw.Location.value()) * blockSize, entry.Size}}
		}
	}
	if use.mode != 0 {
		entry.Mode = entry.Mode.Type() | fs.FileMode(use.mode)&fs.ModePerm
	}
	return entry, nil
}

// rockRidge is what the system use entries of a record say.
type rockRidge struct {
	name   string
	mode   uint32
	target string

	targetOpen bool // the last component of target goes on
}

var errSystemUse = errors.New("system use entries are damaged")

// systemUse reads the entries of a record and of its continuations. Those of
// the root's own record come first of all and say where the others begin.
func (t *treeReader) systemUse(raw rawRecord, root bool) (rockRidge, error) {
	var use rockRidge
	area := raw.systemUse
	if !root {
		area = area[min(t.skip, len(area)):]
	}
	for range maxContinuations {
		next, err := t.entriesIn(area, &use)
		if err != nil || next == nil {
			return use, err
		}
		offset, length := next.Offset.value(), next.Length.value()
		if offset > blockSize || length > blockSize-offset {
			return rockRidge{}, errSystemUse
		}
		area = make([]byte, length)
		if err := readAt(t.r, area, int64(next.Block.value())*blockSize+int64(offset)); err != nil {
			return rockRidge{}, err
		}
	}
	return rockRidge{}, errSystemUse
}

// entriesIn adds the entries in area to use, and returns the CE entry if there
// is one.
func (t *treeReader) entriesIn(area []byte, use *rockRidge) (next *continuationArea, err error) {
	for len(area) >= suspHeaderLength {
		var header suspHeader
		decode(area, &header)
		length := int(header.Length)
		if header.Signature == [2]byte{} {
			break // padding
		}
		if length < suspHeaderLength || length > len(area) {
			return nil, errSystemUse
		}
		entry := area[:length]
		area = area[length:]
		signature := string(header.Signature[:])
		if least := leastLength[signature]; length < least {
			return nil, errSystemUse
		}
		switch signature {
		case "SP":
			var sp sharingProtocol
			decode(entry, &sp)
			t.skip = int(sp.BytesSkipped)
		case "CE":
			next = new(continuationArea)
			decode(entry, next)
		case "PX":
			var px posixAttributes // longer in Rock Ridge 1.12
			decode(entry, &px)
			use.mode = px.Mode.value()
		case "NM":
			use.name += string(entry[flaggedLength:])
		case "SL":
			if err := use.addLink(entry[flaggedLength:]); err != nil {
				return nil, err
			}
		case "ST":
			return next, nil
		}
	}
	return next, nil
}

// leastLength is the length of the entries that are read.
var leastLength = map[string]int{
	"SP": sharingProtocolLength,
	"CE": continuationLength,
	"PX": posixLength,
	"NM": flaggedLength,
	"SL": flaggedLength,
}

// addLink appends the component records of an SL entry to the target.
func (use *rockRidge) addLink(components []byte) error {
	for len(components) > 0 {
		var c linkComponent
		if len(components) < componentLength {
			return errSystemUse
		}
		rest := decode(components, &c)
		if int(c.Length) > len(rest) {
			return errSystemUse
		}
		content := string(rest[:c.Length])
		components = rest[c.Length:]

		if use.target != "" && !use.targetOpen && !strings.HasSuffix(use.target, "/") {
			use.target += "/"
		}
		switch {
		case c.Flags&componentCurrent != 0:
			content = "."
		case c.Flags&componentParent != 0:
			content = ".."
		case c.Flags&componentRoot != 0:
			content = "/"
		}
		use.target += content
		use.targetOpen = c.Flags&flagContinue != 0
	}
	return nil
}
