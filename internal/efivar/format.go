package efivar

import (
	"encoding/binary"
	"slices"
)

// A new flash file of a machine for aarch64 ("virt" of QEMU) is filled with zeros: the firmware formats it when it starts
// for the first time, and keys have to be there before. The format is as it does that
// (InitializeFvAndVariableStoreHeaders in OvmfPkg/Drivers/VirtNorFlashDxe, with the sizes of
// ArmVirtPkg/ArmVirtQemu.dsc).
const (
	flashBlock    = 256 << 10 // of the flash, in bytes, and what variables have
	volumeBlocks  = 3         // variables, a journal of writing, room for that
	volumeHeader  = 72        // EFI_FIRMWARE_VOLUME_HEADER with a map of one kind of blocks
	volumeVersion = 2
	// EFI_FVB2_ attributes: read and write, and that they are; memory mapped; bits are set where it is erased.
	volumeAttributes = 0x02 | 0x04 | 0x10 | 0x20 | 0x200 | 0x400 | 0x800
)

// volumeGUID is EFI_SYSTEM_NV_DATA_FV_GUID (MdeModulePkg/Include/Guid/SystemNvDataGuid.h).
var volumeGUID = guid(0xfff12b8d, 0x7696, 0x4c8b, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50)

// isBlank tells whether a flash file is a new one.
func isBlank(flash []byte) bool {
	return len(flash) >= volumeBlocks*flashBlock && len(flash)%flashBlock == 0 &&
		!slices.ContainsFunc(flash, func(b byte) bool { return b != 0 })
}

// format makes a new flash file a store without variables.
func format(flash []byte) {
	volume := flash[:volumeBlocks*flashBlock]
	for n := range volume {
		volume[n] = erased
	}
	h := volume[:volumeHeader+storeHeader]
	clear(h)
	copy(h[16:], volumeGUID[:])
	binary.LittleEndian.PutUint64(h[32:], uint64(len(volume)))
	copy(h[volumeSignatureAt:], "_FVH")
	binary.LittleEndian.PutUint32(h[44:], volumeAttributes)
	binary.LittleEndian.PutUint16(h[volumeLengthAt:], volumeHeader)
	h[55] = volumeVersion
	binary.LittleEndian.PutUint32(h[56:], uint32(len(flash)/flashBlock))
	binary.LittleEndian.PutUint32(h[60:], flashBlock)
	var sum uint16 // of all words is 0
	for at := 0; at < volumeHeader; at += 2 {
		sum -= binary.LittleEndian.Uint16(h[at:])
	}
	binary.LittleEndian.PutUint16(h[50:], sum)
	store := h[volumeHeader:]
	copy(store, storeGUID[:])
	binary.LittleEndian.PutUint32(store[16:], flashBlock-volumeHeader)
	store[20], store[21] = formatted, healthy
}
