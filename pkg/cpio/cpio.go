// Package cpio writes and reads the archives that Linux unpacks as its first file system:
// those of cpio's format "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
//
// An initrd is any number of archives one behind the other, each compressed or not, with
// zeros between them. [Archive] makes one of files in memory, and [Carrier] one of a single
// file that is written by others, at a place of their choice.
package cpio

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A member is a header of 110 characters, the magic and thirteen numbers of eight hexadecimal
// digits, then its name with a final zero, then its content, both filled up to a multiple of
// four bytes.
const (
	magic      = "070701"
	headerSize = 110
	fields     = 13
	digits     = 8
)

// Trailer is the name of the member that ends an archive.
const Trailer = "TRAILER!!!"

// Align is what the size of an archive, and where one begins in a file, are multiples of, in bytes.
const Align = 4

// MaxSize is how many bytes a member can have: its size is a number of 32 bits.
const MaxSize = math.MaxUint32

// The fields of a header that have a meaning here.
const (
	fieldMode     = 1
	fieldLinks    = 4
	fieldFileSize = 6
	fieldNameSize = 11
)

// Kinds of files in a mode (stat.h).
const (
	ModeRegular   = 0o100000
	ModeDirectory = 0o040000
	ModeLink      = 0o120000
	ModeKind      = 0o170000 // all of them
)

// Member is a file, a directory or a link of an archive.
type Member struct {
	Name string // slash separated, without leading slash
	Mode uint32 // kind and permissions, as of stat(2)
	Data []byte // of a link, where it leads
}

// appendHeader appends a member's header and name. Number is one that no other member has.
func appendHeader(b []byte, name string, mode uint32, size int64, number int) []byte {
	head := [fields]uint32{uint32(number)}
	head[fieldMode], head[fieldLinks] = mode, 1
	head[fieldFileSize], head[fieldNameSize] = uint32(size), uint32(len(name)+1)
	b = append(b, magic...)
	for _, f := range head {
		b = fmt.Appendf(b, "%0*x", digits, f)
	}
	return pad(append(append(b, name...), 0))
}

// headSize is how many bytes appendHeader appends, in bytes.
func headSize(name string) int64 { return aligned(int64(headerSize + len(name) + 1)) }

func pad(b []byte) []byte {
	for len(b)%Align != 0 {
		b = append(b, 0)
	}
	return b
}

func aligned(n int64) int64 { return (n + Align - 1) / Align * Align }

// Archive returns an archive of the members, which directories have to precede in which they lie.
// Equal members make equal bytes.
func Archive(members []Member) []byte {
	var b []byte
	for i, m := range members {
		b = pad(append(appendHeader(b, m.Name, m.Mode, int64(len(m.Data)), i+1), m.Data...))
	}
	return appendHeader(b, Trailer, 0, 0, 0)
}

// WithFolders puts before each member the directories in which it lies, unless they are there.
func WithFolders(members []Member) (all []Member) {
	made := map[string]bool{}
	for _, m := range members {
		for i, r := range m.Name {
			if dir := m.Name[:i]; r == '/' && !made[dir] {
				made[dir] = true
				all = append(all, Member{Name: dir, Mode: ModeDirectory | 0o755})
			}
		}
		if m.Mode&ModeKind == ModeDirectory {
			made[m.Name] = true
		}
		all = append(all, m)
	}
	return all
}

// ErrCutOff says that an archive has no end.
var ErrCutOff = errors.New("the archive is cut off")

// header is that of a member, read.
type header struct {
	mode     uint32
	size     int64
	nameSize int64
}

// readHeader reads the header that b begins with, which lies at a byte of the archive.
func readHeader(b []byte, at int64) (h header, err error) {
	if len(b) < headerSize {
		return h, ErrCutOff
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		return h, fmt.Errorf("at byte %d there is no member of an archive", at)
	}
	var values [fields]uint32
	for i := range values {
		text := b[len(magic)+digits*i:][:digits]
		value, err := strconv.ParseUint(string(text), 16, 32)
		if err != nil {
			return h, fmt.Errorf("the member at byte %d has %q for a number", at, text)
		}
		values[i] = uint32(value)
	}
	return header{values[fieldMode], int64(values[fieldFileSize]), int64(values[fieldNameSize])}, nil
}

// Read returns the members of the archive that b begins with, in pieces of b.
func Read(b []byte) (members []Member, err error) {
	for at, end := int64(0), int64(len(b)); ; {
		h, err := readHeader(b[at:], at)
		if err != nil {
			return nil, err
		}
		at += headerSize
		if h.nameSize == 0 || h.nameSize > end-at {
			return nil, ErrCutOff
		}
		name, final := string(b[at:at+h.nameSize-1]), b[at+h.nameSize-1]
		if final != 0 || strings.ContainsRune(name, 0) {
			return nil, fmt.Errorf("the member at byte %d has a name without end", at-headerSize)
		}
		if at = aligned(at + h.nameSize); name == Trailer {
			return members, nil
		}
		if at > end || h.size > end-at {
			return nil, ErrCutOff
		}
		members = append(members, Member{name, h.mode, b[at : at+h.size]})
		if at = aligned(at + h.size); at > end {
			return nil, ErrCutOff
		}
	}
}
