package disk

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// XattrPrefixes are the namespaces by their numbers (squashfs_fs.h,
// SQUASHFS_XATTR_USER and on).
var XattrPrefixes = []string{"user.", "trusted.", "security."}

// Bounds of Linux (include/uapi/linux/limits.h): no name or value is longer, and
// no list of an inode's names, each with a NUL.
const (
	XattrNameMax  = 255      // XATTR_NAME_MAX
	XattrValueMax = 64 << 10 // XATTR_SIZE_MAX
	XattrListMax  = 64 << 10 // XATTR_LIST_MAX
)

// Xattr is an extended attribute.
type Xattr struct {
	Name  string // with its namespace
	Value []byte
}

// Xattrs is the table of extended attributes that is being made.
type Xattrs struct {
	pool       *Pool
	attributes *Metadata
	ids        []XattrID         // their places are those among the records until they are written
	known      map[string]uint32 // sets that are in the table
}

// NewXattrs returns an empty table.
func NewXattrs(pool *Pool) *Xattrs {
	return &Xattrs{pool: pool, attributes: NewMetadata(pool), known: make(map[string]uint32)}
}

// Add adds the attributes of an inode, equal ones once, and returns their index.
// Without any it is InvalidXattr.
func (x *Xattrs) Add(attributes []Xattr) (uint32, error) {
	if len(attributes) == 0 {
		return InvalidXattr, nil
	}
	var p []byte
	names, values := 0, 0
	for _, a := range attributes {
		var err error
		if p, err = a.append(p); err != nil {
			return 0, fmt.Errorf("extended attribute %q: %w", a.Name, err)
		}
		names += len(a.Name) + 1
		values += len(a.Value)
	}
	if names > XattrListMax {
		return 0, fmt.Errorf("extended attributes with names of %d bytes, %d are possible", names, XattrListMax)
	}
	if id, ok := x.known[string(p)]; ok {
		return id, nil
	}
	id := uint32(len(x.ids))
	x.ids = append(x.ids, XattrID{Xattr: InodeRef(x.attributes.Total()), Count: uint32(len(attributes)), Size: uint32(names + values)})
	x.known[string(p)] = id
	x.attributes.Add(p)
	return id, nil
}

func (a Xattr) append(p []byte) ([]byte, error) {
	for i, prefix := range XattrPrefixes {
		name, ok := strings.CutPrefix(a.Name, prefix)
		if !ok {
			continue
		}
		switch {
		case name == "" || len(a.Name) > XattrNameMax || strings.Contains(name, "\x00"):
			return nil, fmt.Errorf("no name of up to %d bytes", XattrNameMax)
		case len(a.Value) > XattrValueMax:
			return nil, fmt.Errorf("%d bytes, %d are possible", len(a.Value), XattrValueMax)
		}
		p, err := binary.Append(p, binary.LittleEndian, XattrEntry{Type: uint16(i), NameSize: uint16(len(name))})
		if err != nil {
			return nil, err
		}
		p = append(p, name...)
		p = binary.LittleEndian.AppendUint32(p, uint32(len(a.Value)))
		return append(p, a.Value...), nil
	}
	return nil, fmt.Errorf("SquashFS has the namespaces %s", strings.Join(XattrPrefixes, ", "))
}

// Empty says that there are no attributes.
func (x *Xattrs) Empty() bool { return len(x.ids) == 0 }

// WriteTo writes the table and returns its position for the superblock.
func (x *Xattrs) WriteTo(w *Writer) (position uint64, err error) {
	if x.Empty() {
		return InvalidTable, nil
	}
	start, err := w.Metadata(x.attributes)
	if err != nil {
		return 0, err
	}
	for i := range x.ids {
		x.ids[i].Xattr = x.attributes.Ref(int64(x.ids[i].Xattr))
	}
	list, err := LookupTable(x.pool, w, x.ids)
	if err != nil {
		return 0, err
	}
	position = uint64(w.Pos)
	p, err := binary.Append(nil, binary.LittleEndian, XattrTable{Start: start, IDs: uint32(len(x.ids))})
	if err != nil {
		return 0, err
	}
	_, err = w.Write(append(p, list...))
	return position, err
}
