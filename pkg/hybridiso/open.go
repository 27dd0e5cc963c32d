package hybridiso

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// Naming is the hierarchy of a volume from which names are read.
type Naming int

// The hierarchies, the poorest first.
const (
	Plain     Naming = iota // ISO 9660 alone: upper case, without links
	Joliet                  // names of Unicode, without links
	RockRidge               // names, modes and links of POSIX
)

func (n Naming) String() string {
	return [...]string{"ISO 9660", "Joliet", "Rock Ridge"}[n]
}

// Reader reads the files of a volume of any maker. It is safe for concurrent
// use. The volume is not trusted: damage is an error, and neither the memory
// nor the time that a call takes depends on what fields claim.
type Reader struct {
	src    io.ReaderAt
	size   int64
	naming Naming
	udf    bool
	root   Entry
	skip   int // bytes before the system use entries of each record

	mu          sync.Mutex
	claims      map[int64]int64 // blocks of directories, by the place of the record that leads there
	directories map[int64]*isoDirectory
	cached      int // entries in directories
}

// Open reads the volume descriptors of the volume in the first size bytes of
// src and chooses the hierarchy as Linux does: Rock Ridge if there is one, else
// Joliet. The error wraps [ErrNoVolume] if there is nothing to be read.
//
// To read the volume of a partition, give it a section of the image. Of a disc
// with several sessions the last one is read if its writer left its descriptors
// at the front, as those do that write to files and sticks.
func Open(src io.ReaderAt, size int64) (*Reader, error) {
	return openAs(src, size, RockRidge, Joliet)
}

// openAs is Open for the first of these hierarchies that there is, else the plain
// one.
func openAs(src io.ReaderAt, size int64, wanted ...Naming) (*Reader, error) {
	r := &Reader{src: src, size: size, claims: map[int64]int64{}, directories: map[int64]*isoDirectory{}}
	primary, joliet, err := r.descriptors()
	if err != nil {
		return nil, fmt.Errorf("reading volume descriptors: %w", err)
	}
	if err := r.start(*primary, Plain); err != nil {
		return nil, err
	}
	for _, naming := range wanted {
		switch naming {
		case RockRidge:
			rock, err := r.sharing()
			if err != nil {
				return nil, fmt.Errorf("reading root directory: %w", err)
			}
			if rock {
				r.naming = RockRidge
				return r, nil
			}
		case Joliet:
			if joliet != nil {
				return r, r.start(*joliet, Joliet)
			}
		}
	}
	return r, nil
}

// descriptors returns the primary descriptor and that of Joliet, if there is
// one.
func (r *Reader) descriptors() (primary, joliet *volumeDescriptor, err error) {
	block, ended := make([]byte, blockSize), false
	for i := range int64(maxDescriptors) {
		if err := r.readAt(block, (descriptorBlock+i)*blockSize); err != nil {
			if ended || errors.Is(err, io.ErrUnexpectedEOF) && primary == nil {
				break
			}
			return nil, nil, err
		}
		d := new(volumeDescriptor)
		decode(block, d)
		switch {
		// What describes UDF follows (ECMA-167, 2/8.3.1 and 3/9.1).
		case strings.HasPrefix(string(d.StandardIdentifier[:]), "NSR0"):
			r.udf = true
		case d.StandardIdentifier == [5]byte([]byte("BEA01")) || d.StandardIdentifier == [5]byte([]byte("BOOT2")):
		case d.StandardIdentifier != standardIdentifier || ended:
			if primary == nil {
				return nil, nil, ErrNoVolume
			}
			return primary, joliet, nil
		case d.Type == typePrimary && primary == nil:
			primary = d
		case d.Type == typeSupplementary && joliet == nil && isJoliet(d.EscapeSequences[:]):
			joliet = d
		case d.Type == typeTerminator:
			ended = true
		}
	}
	if primary == nil {
		return nil, nil, ErrNoVolume
	}
	return primary, joliet, nil
}

// isJoliet knows the three levels of UCS-2 (Joliet specification, "Escape
// Sequences").
func isJoliet(escape []byte) bool {
	return escape[0] == '%' && escape[1] == '/' && strings.IndexByte("@CE", escape[2]) >= 0
}

// start begins at the root directory of a hierarchy.
func (r *Reader) start(d volumeDescriptor, naming Naming) error {
	if size := int(d.LogicalBlockSize[0]) | int(d.LogicalBlockSize[1])<<8; size != blockSize {
		return fmt.Errorf("blocks of %d bytes, only %d are supported", size, blockSize)
	}
	var root directoryRecord
	decode(d.RootDirectoryRecord[:], &root)
	r.naming = naming
	r.root = Entry{Path: ".", Mode: fs.ModeDir | 0o555, ModTime: root.RecordingDate.time(), Record: -1}
	r.root.locate(root)
	return nil
}

// Naming returns the hierarchy that names are read from.
func (r *Reader) Naming() Naming { return r.naming }

// UDF says whether the disc has a UDF file system, too, which may hold other
// files, as that of Windows does.
func (r *Reader) UDF() bool { return r.udf }

// Lookup returns the entry at a path of names separated by slashes from the
// root directory, which is ".". It does not follow symbolic links. Names that are
// not Rock Ridge's are found in whatever case. One that is not there is an
// [fs.ErrNotExist].
func (r *Reader) Lookup(name string) (Entry, error) {
	at := r.root
	for element := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if element == "" {
			continue
		}
		var err error
		if at, err = r.child(at, element); err != nil {
			return Entry{}, &fs.PathError{Op: "lookup", Path: name, Err: err}
		}
	}
	return at, nil
}

// child returns what the directory dir has under a name.
func (r *Reader) child(dir Entry, name string) (Entry, error) {
	if !dir.Mode.IsDir() {
		return Entry{}, fs.ErrNotExist
	}
	d, err := r.directory(dir)
	if err != nil {
		return Entry{}, err
	}
	if i, ok := d.byName[name]; ok {
		return d.entries[i], nil
	}
	if i, ok := d.byName[strings.ToUpper(name)]; ok && r.naming != RockRidge {
		return d.entries[i], nil
	}
	return Entry{}, fs.ErrNotExist
}

// Entries returns what the directory dir holds, in the order of its records.
func (r *Reader) Entries(dir Entry) ([]Entry, error) {
	if !dir.Mode.IsDir() {
		return nil, errors.New("not a directory")
	}
	d, err := r.directory(dir)
	if err != nil {
		return nil, err
	}
	return append([]Entry(nil), d.entries...), nil
}

// readAt fills b from a place in the image.
func (r *Reader) readAt(b []byte, offset int64) error {
	if offset > r.size || int64(len(b)) > r.size-offset {
		return io.ErrUnexpectedEOF
	}
	return readAt(r.src, b, offset)
}
