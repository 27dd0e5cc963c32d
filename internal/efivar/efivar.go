// Package efivar reads and changes the variables of UEFI firmware for virtual machines: the
// second flash file of OVMF, with the keys of Secure Boot in it.
//
// The format is that of EDK2: a firmware volume (UEFI Platform Initialization 1.8, volume 3,
// §3.2.1) with a store of authenticated variables (MdeModulePkg/Include/Guid/VariableFormat.h).
// Lists of certificates are those of UEFI 2.10 §32.4.1. A store is written while no firmware
// runs; nothing has to be signed for that.
package efivar

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf16"
)

// GUID is an EFI_GUID as it lies in memory: the first three fields little-endian.
type GUID [16]byte

// guid makes one of the fields that the specifications write.
func guid(a uint32, b, c uint16, d ...byte) (g GUID) {
	binary.LittleEndian.PutUint32(g[0:], a)
	binary.LittleEndian.PutUint16(g[4:], b)
	binary.LittleEndian.PutUint16(g[6:], c)
	copy(g[8:], d)
	return g
}

var (
	// gEfiAuthenticatedVariableGuid of EDK2, which a store of authenticated variables begins with.
	storeGUID = guid(0xaaf32c78, 0x947b, 0x439a, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92)

	// Global is EFI_GLOBAL_VARIABLE, whose are PK and KEK (UEFI 2.10 §3.3).
	Global = guid(0x8be4df61, 0x93ca, 0x11d2, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c)
	// Database is EFI_IMAGE_SECURITY_DATABASE_GUID, whose are db and dbx (UEFI 2.10 §32.6.1).
	Database = guid(0xd719b2cb, 0x3d3a, 0x4596, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f)
	// Enable is gEfiSecureBootEnableDisableGuid of EDK2, whose is SecureBootEnable.
	Enable = guid(0xf0a30bc7, 0xaf08, 0x4556, 0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44)
	// Shim is SHIM_LOCK_GUID of shim, whose is MokList.
	Shim = guid(0x605dab50, 0xe046, 0x4300, 0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23)

	certX509 = guid(0xa5c059a1, 0x94e4, 0x4aa7, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72) // EFI_CERT_X509_GUID

	// owner is whose the certificates are that livebuild enrols: nobody else's.
	owner = guid(0x6c697665, 0x6275, 0x696c, 0x80, 0x64, 0x73, 0x65, 0x63, 0x75, 0x72, 0x65)
)

// Attributes of variables (UEFI 2.10 §8.2.1).
const (
	NonVolatile uint32 = 1 << iota
	BootService
	Runtime
	_
	_
	TimeBased // authenticated by a time stamp
)

// Sizes and offsets in bytes, and values; everything is little-endian.
const (
	volumeSignatureAt = 40 // "_FVH", in EFI_FIRMWARE_VOLUME_HEADER
	volumeLengthAt    = 48 // of the header itself
	storeHeader       = 28 // VARIABLE_STORE_HEADER
	formatted         = 0x5a
	healthy           = 0xfe
	variableHeader    = 60 // AUTHENTICATED_VARIABLE_HEADER
	startID           = 0x55aa
	added             = 0x3f // VAR_ADDED: valid
	inDeletion        = 0x3e // VAR_ADDED & VAR_IN_DELETED_TRANSITION: valid, unless there is another
	align             = 4
	erased            = 0xff
	listHeader        = 28 // EFI_SIGNATURE_LIST
)

// Variable is one of the firmware.
type Variable struct {
	Name       string
	Vendor     GUID
	Attributes uint32
	Data       []byte
}

// FormatError says that a file is no store of variables, or a damaged one.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "no store of UEFI variables: " + e.Reason }

func malformed(format string, args ...any) error { return &FormatError{fmt.Sprintf(format, args...)} }

// Store is the variables of a machine: a flash file.
type Store struct {
	flash []byte
	at    int // of the first variable
	end   int // of the store
	free  int // behind the last variable
	used  []stored
}

// stored is a variable where it lies.
type stored struct {
	Variable
	at int
}

// Open reads a flash file. One of zeros is a new store, as distributions give them to machines for aarch64. The error is
// a [*FormatError].
func Open(flash []byte) (*Store, error) {
	s := &Store{flash: bytes.Clone(flash)}
	if isBlank(flash) {
		format(s.flash)
		flash = s.flash
	}
	if len(flash) < volumeLengthAt+2 || string(flash[volumeSignatureAt:volumeSignatureAt+4]) != "_FVH" {
		return nil, malformed("it does not begin with a firmware volume")
	}
	header := int(binary.LittleEndian.Uint16(flash[volumeLengthAt:]))
	if header+storeHeader > len(flash) || GUID(flash[header:header+16]) != storeGUID {
		return nil, malformed("it has no authenticated variables")
	}
	size := int64(binary.LittleEndian.Uint32(flash[header+16:]))
	if size < storeHeader || int64(header)+size > int64(len(flash)) || flash[header+20] != formatted || flash[header+21] != healthy {
		return nil, malformed("its header is damaged")
	}
	s.at, s.end = header+storeHeader, header+int(size)
	for at := s.at; ; {
		at = (at + align - 1) / align * align
		if at+variableHeader > s.end || binary.LittleEndian.Uint16(flash[at:]) != startID {
			s.free = at
			return s, nil
		}
		name, data := int64(binary.LittleEndian.Uint32(flash[at+36:])), int64(binary.LittleEndian.Uint32(flash[at+40:]))
		if int64(at)+variableHeader+name+data > int64(s.end) || name%2 != 0 {
			return nil, malformed("the variable at byte %d ends behind it", at)
		}
		v := stored{at: at}
		v.Attributes = binary.LittleEndian.Uint32(flash[at+4:])
		v.Vendor = GUID(flash[at+44 : at+60])
		text := flash[at+variableHeader:][:name]
		v.Name = decodeName(text)
		v.Data = bytes.Clone(flash[at+variableHeader+int(name):][:data])
		if state := flash[at+2]; state == added || state == inDeletion {
			s.used = append(s.used, v)
		}
		at += variableHeader + int(name) + int(data)
	}
}

func decodeName(text []byte) string {
	var units []uint16
	for ; len(text) >= 2; text = text[2:] {
		if u := binary.LittleEndian.Uint16(text); u != 0 {
			units = append(units, u)
		}
	}
	return string(utf16.Decode(units))
}

// Variables are those that are valid.
func (s *Store) Variables() []Variable {
	var all []Variable
	for _, v := range s.used {
		all = append(all, v.Variable)
	}
	return all
}

// Bytes is the flash file.
func (s *Store) Bytes() []byte { return bytes.Clone(s.flash) }

// FullError says that a store has no room for a variable.
type FullError struct{ Name string }

func (e *FullError) Error() string { return "the firmware's variables have no room for " + e.Name }

// Set gives a variable a value, and takes away an earlier one. The error is a [*FullError].
func (s *Store) Set(v Variable) error {
	var name []byte
	for _, u := range append(utf16.Encode([]rune(v.Name)), 0) {
		name = binary.LittleEndian.AppendUint16(name, u)
	}
	if s.free+variableHeader+len(name)+len(v.Data) > s.end {
		return &FullError{v.Name}
	}
	s.used = slices.DeleteFunc(s.used, func(old stored) bool {
		same := old.Name == v.Name && old.Vendor == v.Vendor
		if same {
			s.flash[old.at+2] &= 0xfd // VAR_DELETED
		}
		return same
	})
	h := make([]byte, variableHeader, variableHeader+len(name)+len(v.Data))
	binary.LittleEndian.PutUint16(h, startID)
	h[2] = added
	binary.LittleEndian.PutUint32(h[4:], v.Attributes)
	if v.Attributes&TimeBased != 0 {
		// EFI_TIME: any time that later changes are later than.
		binary.LittleEndian.PutUint16(h[16:], 2000)
		h[18], h[19] = 1, 1
	}
	binary.LittleEndian.PutUint32(h[36:], uint32(len(name)))
	binary.LittleEndian.PutUint32(h[40:], uint32(len(v.Data)))
	copy(h[44:], v.Vendor[:])
	h = append(append(h, name...), v.Data...)
	copy(s.flash[s.free:], h)
	s.used = append(s.used, stored{v, s.free})
	s.free += (len(h) + align - 1) / align * align
	return nil
}

// Keys are what a machine with Secure Boot trusts.
type Keys struct {
	// Database vouches for programs that the firmware starts; not empty. The first is the owner of the
	// machine, too (PK, KEK).
	Database []*x509.Certificate
	// MOK vouches for what a shim starts.
	MOK []*x509.Certificate
}

// Enrol turns Secure Boot on, with these keys instead of others. Everything is as its owner would
// leave it after setup; see [Store.Set] for the error.
func (s *Store) Enrol(k Keys) error {
	const authenticated = NonVolatile | BootService | Runtime | TimeBased
	first := k.Database[:1]
	for _, v := range []Variable{
		{"PK", Global, authenticated, List(first)},
		{"KEK", Global, authenticated, List(first)},
		{"db", Database, authenticated, List(k.Database)},
		{"SecureBootEnable", Enable, NonVolatile | BootService, []byte{1}},
		{"MokList", Shim, NonVolatile | BootService, List(k.MOK)},
	} {
		if len(v.Data) == 0 {
			continue
		}
		if err := s.Set(v); err != nil {
			return err
		}
	}
	return nil
}

// List is the value of a variable with certificates: a list for each, as those of one list have one size.
func List(certificates []*x509.Certificate) []byte {
	var all []byte
	for _, c := range certificates {
		all = append(all, certX509[:]...)
		all = binary.LittleEndian.AppendUint32(all, uint32(listHeader+len(owner)+len(c.Raw)))
		all = binary.LittleEndian.AppendUint32(all, 0)
		all = binary.LittleEndian.AppendUint32(all, uint32(len(owner)+len(c.Raw)))
		all = append(append(all, owner[:]...), c.Raw...)
	}
	return all
}

// Certificates reads such a value. Hashes, which can be in one, too, are passed over. The error is a
// [*FormatError].
func Certificates(value []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for len(value) > 0 {
		if len(value) < listHeader {
			return nil, malformed("a list of certificates has %d bytes", len(value))
		}
		size, header, each := int64(binary.LittleEndian.Uint32(value[16:])), int64(binary.LittleEndian.Uint32(value[20:])), int64(binary.LittleEndian.Uint32(value[24:]))
		if size > int64(len(value)) || listHeader+header > size || each < 16 {
			return nil, malformed("a list of certificates ends behind its variable")
		}
		entries := value[listHeader+header : size]
		for GUID(value[:16]) == certX509 && int64(len(entries)) >= each {
			c, err := x509.ParseCertificate(entries[16:each])
			if err != nil {
				return nil, malformed("a certificate: %v", err)
			}
			all = append(all, c)
			entries = entries[each:]
		}
		value = value[size:]
	}
	return all, nil
}
