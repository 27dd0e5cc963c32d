// Package authenticode reads and makes the signatures of programs that UEFI firmware
// checks before it starts them: Microsoft's Authenticode in images of the format PE/COFF.
//
// The format is that of UEFI 2.10 §32.2 and §32.5.1, which refers to "Windows Authenticode
// Portable Executable Signature Format" (Microsoft, 2008) and to "PE Format" (Microsoft
// Learn). Where the texts leave it open what is hashed, it is what EDK2 does (HashPeImage in
// SecurityPkg/Library/DxeImageVerificationLib), which is what firmware is made of.
//
// Signatures are made by RSA keys with SHA-256, the one pair that all firmware knows.
package authenticode

import (
	"bytes"
	"cmp"
	"crypto"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Offsets and sizes of PE/COFF, in bytes. Everything is little-endian.
const (
	peOffsetAt   = 0x3c // in the DOS header: where the PE signature lies
	coffSize     = 20   // of the COFF header, behind the signature of 4 bytes
	sectionSize  = 40   // of an entry of the section table
	symbolSize   = 18   // of an entry of the symbol table
	magicPE32    = 0x10b
	magicPE32P   = 0x20b
	checksumAt   = 64 // in the optional header
	headersAt    = 60 // SizeOfHeaders, likewise
	securityDir  = 4  // index of the certificate table among the data directories
	directory    = 8  // size of a data directory
	dirsPE32     = 96 // where the data directories begin in the optional header
	dirsPE32P    = 112
	winCertSize  = 8      // of the header of an entry of the certificate table
	revision2    = 0x0200 // WIN_CERT_REVISION_2_0
	pkcsSigned   = 0x0002 // WIN_CERT_TYPE_PKCS_SIGNED_DATA
	alignment    = 8      // of the certificate table and of its entries
	maxSections  = 1 << 10
	maxName      = 256 // bytes of the name of a section
	maxSignature = 32  // signatures of an image that are looked at
)

// FormatError says that something is no image of PE/COFF, or a damaged one.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "not a program for UEFI: " + e.Reason }

func malformed(format string, args ...any) error {
	return &FormatError{fmt.Sprintf(format, args...)}
}

// Machine is the processor that an image is for (PE Format, "Machine Types").
type Machine uint16

// Machines of UEFI firmware.
const (
	I386    Machine = 0x14c
	AMD64   Machine = 0x8664
	ARM     Machine = 0x1c2
	ARM64   Machine = 0xaa64
	RISCV64 Machine = 0x5064
)

// Section is a named part of an image.
type Section struct {
	Name string
	Data []byte // as it lies in the file, without what is behind its virtual size
}

// Image is a program, in memory.
type Image struct {
	Machine  Machine
	Sections []Section

	data     []byte // padded to the alignment, without the certificate table
	table    []byte // the certificate table
	checksum int    // where its checksum lies
	security int    // where the directory entry of the certificate table lies
	ranges   []span // of data, in the order in which they are hashed
	names    []byte // of sections that are longer than their entry has room for
}

// span is a range of bytes.
type span struct{ from, to int }

// Parse reads an image. The error is a [*FormatError].
func Parse(file []byte) (*Image, error) {
	i := &Image{}
	optional, optionalSize, sections, err := i.headers(file)
	if err != nil {
		return nil, err
	}
	at, size := int64(le32(file, i.security)), int64(le32(file, i.security+4))
	end := int64(len(file))
	if size > 0 {
		if at < int64(optional+optionalSize) || at%alignment != 0 || at+size > end {
			return nil, malformed("its certificate table lies at byte %d with %d bytes of %d", at, size, end)
		}
		if at+size < end && len(bytes.Trim(file[at+size:], "\x00")) > 0 {
			return nil, malformed("something lies behind its certificate table")
		}
		i.table = file[at : at+size]
		end = at
	}
	padded := (end + alignment - 1) / alignment * alignment
	i.data = append(make([]byte, 0, padded), file[:end]...)
	i.data = i.data[:padded]
	return i, i.lay(int(le32(file, optional+headersAt)), sections, optional+optionalSize)
}

// headers finds the fields that matter.
func (i *Image) headers(file []byte) (optional, optionalSize, sections int, err error) {
	fail := func(format string, args ...any) (int, int, int, error) { return 0, 0, 0, malformed(format, args...) }
	if len(file) < peOffsetAt+4 || string(file[:2]) != "MZ" {
		return fail("it does not begin with MZ")
	}
	pe := int(le32(file, peOffsetAt))
	if pe > len(file)-4-coffSize || string(file[pe:pe+4]) != "PE\x00\x00" {
		return fail("it has no PE header")
	}
	coff := pe + 4
	// The string table lies behind that of symbols.
	if at := int64(le32(file, coff+8)) + int64(le32(file, coff+12))*symbolSize; at > 0 && at < int64(len(file)) {
		i.names = file[at:]
	}
	i.Machine = Machine(le16(file, coff))
	sections, optionalSize = int(le16(file, coff+2)), int(le16(file, coff+16))
	optional = coff + coffSize
	switch {
	case sections > maxSections:
		return fail("it has %d sections", sections)
	case optional+optionalSize+sections*sectionSize > len(file):
		return fail("its headers end behind the file")
	case optionalSize < dirsPE32P:
		return fail("its optional header has %d bytes", optionalSize)
	}
	dirs := dirsPE32P
	switch le16(file, optional) {
	case magicPE32:
		dirs = dirsPE32
	case magicPE32P:
	default:
		return fail("its optional header is of the kind %#x", le16(file, optional))
	}
	if le32(file, optional+dirs-4) <= securityDir || optionalSize < dirs+(securityDir+1)*directory {
		return fail("it has no place for a certificate table")
	}
	i.checksum = optional + checksumAt
	i.security = optional + dirs + securityDir*directory
	return optional, optionalSize, sections, nil
}

// lay finds out what is hashed in which order: the headers without the checksum and the
// entry of the certificate table, the sections by where they lie, and what is left over.
func (i *Image) lay(headers, sections, table int) error {
	end := len(i.data)
	if headers < table+sections*sectionSize || headers > end {
		return malformed("its headers have %d bytes", headers)
	}
	var parts []span
	hashed := headers
	for n := range sections {
		entry := i.data[table+n*sectionSize:]
		size, at := int64(le32(entry, 16)), int64(le32(entry, 20))
		name := i.name(entry[:8])
		if size == 0 {
			continue
		}
		if at+size > int64(end) {
			return malformed("section %q ends behind the file", name)
		}
		hashed += int(size)
		parts = append(parts, span{int(at), int(at + size)})
		i.Sections = append(i.Sections, Section{name, i.data[at : at+min(size, cmp.Or(int64(le32(entry, 8)), size))]})
	}
	slices.SortStableFunc(parts, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	i.ranges = append([]span{{0, i.checksum}, {i.checksum + 4, i.security}, {i.security + directory, headers}}, parts...)
	// The rest begins where as many bytes end as were hashed, whatever gaps there are.
	if hashed < end {
		i.ranges = append(i.ranges, span{hashed, end})
	}
	if hashed > 2*end {
		return malformed("its sections lie over each other")
	}
	return nil
}

// name is that of a section. One of more than 8 bytes is "/" and where it lies in the string table.
func (i *Image) name(field []byte) string {
	name := string(bytes.TrimRight(field, "\x00"))
	digits, long := strings.CutPrefix(name, "/")
	at, err := strconv.Atoi(digits)
	if !long || err != nil || at < 0 || at >= len(i.names) {
		return name
	}
	text, _, _ := bytes.Cut(i.names[at:min(len(i.names), at+maxName)], []byte{0})
	return string(text)
}

// Section returns the contents of the first section of that name; nil if there is none.
func (i *Image) Section(name string) []byte {
	for _, s := range i.Sections {
		if s.Name == name {
			return s.Data
		}
	}
	return nil
}

// Digest is the hash that a signature signs: of all that is loaded, but not of signatures.
// An image that is signed has the digest that it had before.
func (i *Image) Digest(by crypto.Hash) []byte {
	h := by.New()
	for _, r := range i.ranges {
		h.Write(i.data[r.from:r.to])
	}
	return h.Sum(nil)
}

// Unsigned is the image without its signatures, padded to a multiple of 8 bytes.
func (i *Image) Unsigned() []byte {
	bare := bytes.Clone(i.data)
	clear(bare[i.security : i.security+directory])
	return bare
}

// withTable is the image with that certificate table.
func (i *Image) withTable(table []byte) []byte {
	file := append(bytes.Clone(i.data), table...)
	binary.LittleEndian.PutUint32(file[i.security:], uint32(len(i.data)))
	binary.LittleEndian.PutUint32(file[i.security+4:], uint32(len(table)))
	return file
}

// entries are the signatures of the certificate table, as PKCS #7.
func (i *Image) entries() ([][]byte, error) {
	var all [][]byte
	for rest := i.table; len(rest) > 0; {
		if len(rest) < winCertSize {
			if len(bytes.Trim(rest, "\x00")) == 0 {
				break
			}
			return nil, malformed("its certificate table has %d bytes too many", len(rest))
		}
		size := int64(le32(rest, 0))
		if size < winCertSize || size > int64(len(rest)) {
			return nil, malformed("an entry of its certificate table has %d bytes", size)
		}
		if le16(rest, 4) == revision2 && le16(rest, 6) == pkcsSigned {
			all = append(all, rest[winCertSize:size])
		}
		if len(all) > maxSignature {
			return nil, malformed("it has more than %d signatures", maxSignature)
		}
		next := (size + alignment - 1) / alignment * alignment
		rest = rest[min(next, int64(len(rest))):]
	}
	return all, nil
}

func le16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
func le32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
