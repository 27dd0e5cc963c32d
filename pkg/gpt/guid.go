package gpt

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is a GUID as a table records it: the first three fields little-endian
// (UEFI 2.10, appendix A). The zero value stands for none.
type GUID [16]byte

// Partition types (UEFI 2.10 table 5.7; the others by their owners: the
// Discoverable Partitions Specification and Microsoft's PARTITION_INFORMATION_GPT).
var (
	EFISystem          = mustParse("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
	LinuxFilesystem    = mustParse("0FC63DAF-8483-4772-8E79-3D69D8477DE4")
	MicrosoftBasicData = mustParse("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
)

// ParseGUID returns the GUID that is printed so, in either case.
func ParseGUID(s string) (GUID, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(GUID{}) || !strings.EqualFold(FromUUID([16]byte(b)).String(), s) {
		return GUID{}, fmt.Errorf("%q is no GUID", s)
	}
	return FromUUID([16]byte(b)), nil
}

func mustParse(s string) GUID {
	g, err := ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// FromUUID records a UUID given in the order in which it is printed.
func FromUUID(uuid [16]byte) (g GUID) {
	g = uuid
	binary.LittleEndian.PutUint32(g[0:], binary.BigEndian.Uint32(uuid[0:]))
	binary.LittleEndian.PutUint16(g[4:], binary.BigEndian.Uint16(uuid[4:]))
	binary.LittleEndian.PutUint16(g[6:], binary.BigEndian.Uint16(uuid[6:]))
	return g
}

// String returns the GUID as it is printed, in upper case.
func (g GUID) String() string {
	u := FromUUID(g) // the swap is its own inverse
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16]))
}

// Derive returns a GUID of version 8, custom (RFC 9562 §5.8), which depends on
// the seed and on what it is for.
func Derive(seed [16]byte, purpose string) GUID {
	uuid := derive(seed, purpose)
	uuid[6] = uuid[6]&0x0F | 0x80
	uuid[8] = uuid[8]&0x3F | 0x80
	return FromUUID(uuid)
}

// DeriveSignature returns the signature of an MBR that depends on the seed in the
// same way. It is never 0, which stands for none.
func DeriveSignature(seed [16]byte, purpose string) uint32 {
	sum := derive(seed, purpose)
	return max(1, binary.LittleEndian.Uint32(sum[:]))
}

func derive(seed [16]byte, purpose string) [16]byte {
	sum := sha256.Sum256(append(seed[:], purpose...))
	return [16]byte(sum[:16])
}
