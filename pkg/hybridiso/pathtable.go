package hybridiso

import (
	"encoding/binary"
	"math"
)

// pathTableRecord is the fixed part of a path table record (ECMA-119 §9.4).
type pathTableRecord struct {
	IdentifierLength              uint8
	ExtendedAttributeRecordLength uint8
	Location                      uint32
	Parent                        uint16
}

// maxDirectories is what a parent's number can count.
const maxDirectories = math.MaxUint16

// pathTable returns the path table in the given byte order: little-endian for
// type L, big-endian for type M (ECMA-119 §9.4).
func (h *hierarchy) pathTable(order binary.ByteOrder) []byte {
	var table []byte
	for _, dir := range h.directories {
		var err error
		table, err = binary.Append(table, order, pathTableRecord{
			IdentifierLength: uint8(len(dir.identifier)),
			Location:         uint32(dir.block - h.base),
			Parent:           uint16(dir.parent.number),
		})
		if err != nil {
			panic(err) // only for a type that has no fixed size
		}
		table = append(table, dir.identifier...)
		if len(dir.identifier)%2 != 0 {
			table = append(table, 0)
		}
	}
	return table
}
