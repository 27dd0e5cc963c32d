package stamp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The archives that Linux unpacks are those of cpio's format "newc" (Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst): a header of 110 characters,
// the magic and thirteen numbers of eight hexadecimal digits, then the name with a final
// zero, then the content, both filled up to a multiple of four bytes.
const (
	cpioMagic   = "070701"
	cpioHeader  = 110
	cpioTrailer = "TRAILER!!!"
	cpioFields  = 13
	cpioAlign   = 4
)

// The fields of a header that have a meaning here.
const (
	fieldMode     = 1
	fieldLinks    = 4
	fieldFileSize = 6
	fieldNameSize = 11
)

// Kinds of files in a mode (stat.h).
const (
	modeRegular   = 0o100000
	modeDirectory = 0o040000
	modeKind      = 0o170000
	modeBits      = 0o7777
)

// member is a file or a directory of an archive.
type member struct {
	name string
	mode uint32 // kind and permissions, as of stat(2)
	data []byte
}

// appendMember appends a member. Number is one that no other has.
func appendMember(b []byte, m member, number int) []byte {
	fields := [cpioFields]uint32{uint32(number)}
	fields[fieldMode], fields[fieldLinks] = m.mode, 1
	fields[fieldFileSize], fields[fieldNameSize] = uint32(len(m.data)), uint32(len(m.name)+1)
	b = append(b, cpioMagic...)
	for _, f := range fields {
		b = fmt.Appendf(b, "%08x", f)
	}
	b = append(append(b, m.name...), 0)
	b = pad(b)
	return pad(append(b, m.data...))
}

func pad(b []byte) []byte {
	for len(b)%cpioAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// archive returns an archive of the members, which directories precede in which they lie.
func archive(members []member) []byte {
	var b []byte
	for i, m := range members {
		b = appendMember(b, m, i+1)
	}
	return appendMember(b, member{name: cpioTrailer}, 0)
}

var errCutOff = errors.New("the archive is cut off")

// readArchive returns the members of the archive that b begins with, in pieces of b.
func readArchive(b []byte) (members []member, err error) {
	for at := 0; ; {
		if len(b)-at < cpioHeader {
			return nil, errCutOff
		}
		head := b[at : at+cpioHeader]
		if !bytes.HasPrefix(head, []byte(cpioMagic)) {
			return nil, fmt.Errorf("at byte %d there is no member of an archive", at)
		}
		var fields [cpioFields]uint32
		for i := range fields {
			digits := head[len(cpioMagic)+8*i:][:8]
			value, err := strconv.ParseUint(string(digits), 16, 32)
			if err != nil {
				return nil, fmt.Errorf("the member at byte %d has %q for a number", at, digits)
			}
			fields[i] = uint32(value)
		}
		at += cpioHeader
		nameSize, size := int64(fields[fieldNameSize]), int64(fields[fieldFileSize])
		if nameSize == 0 || nameSize > int64(len(b)-at) {
			return nil, errCutOff
		}
		name, final := string(b[at:at+int(nameSize)-1]), b[at+int(nameSize)-1]
		if final != 0 || strings.ContainsRune(name, 0) {
			return nil, fmt.Errorf("the member at byte %d has a name without end", at-cpioHeader)
		}
		at = aligned(at + int(nameSize))
		if name == cpioTrailer {
			return members, nil
		}
		if at > len(b) || size > int64(len(b)-at) {
			return nil, errCutOff
		}
		members = append(members, member{name, fields[fieldMode], b[at : at+int(size)]})
		at = aligned(at + int(size))
		if at > len(b) {
			return nil, errCutOff
		}
	}
}

func aligned(n int) int { return (n + cpioAlign - 1) / cpioAlign * cpioAlign }
