package hybridiso

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// guid is a GUID as GPT records it: the first three fields little-endian (UEFI
// 2.10, appendix A).
type guid [16]byte

// Partition types.
var (
	typeEFISystem       = parseGUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
	typeLinuxFilesystem = parseGUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")
)

// parseGUID returns the GUID of a constant.
func parseGUID(s string) guid {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil {
		panic(err)
	}
	return newGUID([16]byte(b))
}

// newGUID records a UUID given in the order in which it is printed.
func newGUID(uuid [16]byte) (g guid) {
	g = uuid
	binary.LittleEndian.PutUint32(g[0:], binary.BigEndian.Uint32(uuid[0:]))
	binary.LittleEndian.PutUint16(g[4:], binary.BigEndian.Uint16(uuid[4:]))
	binary.LittleEndian.PutUint16(g[6:], binary.BigEndian.Uint16(uuid[6:]))
	return g
}

// String returns the GUID as it is printed, in upper case.
func (g guid) String() string {
	u := newGUID(g) // the swap is its own inverse
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16]))
}

// derive returns 16 bytes that depend on the seed and what they are for.
func derive(seed [16]byte, purpose string) [16]byte {
	sum := sha256.Sum256(append(seed[:], purpose...))
	return [16]byte(sum[:16])
}

// deriveGUID returns a GUID of version 8, custom (RFC 9562 §5.8).
func deriveGUID(seed [16]byte, purpose string) guid {
	uuid := derive(seed, purpose)
	uuid[6] = uuid[6]&0x0F | 0x80
	uuid[8] = uuid[8]&0x3F | 0x80
	return newGUID(uuid)
}
