package gpt

import "bytes"

// An image that is a medium for Apple computers, too, begins with a driver descriptor (Inside
// Macintosh: Devices, "The Driver Descriptor Record"): a signature, which a PC runs as
// instructions without consequences, and the size of blocks. Programs that leave room for it go
// on behind these four bytes, with a jump (GRUB), or behind all that the descriptor takes (isohybrid).
const (
	appleSignature = "ER"
	appleFirst     = 4
	appleAll       = 32
)

// diskService is the instruction by which programs that a BIOS starts read
// disks: INT 13h.
var diskService = []byte{0xCD, 0x13}

// Boots reports whether Code looks like a program that starts something from the
// disk: it begins with an instruction that such programs begin with, and it asks
// the BIOS to read the disk, since it is too short to hold what it starts. All of
// GRUB, SYSLINUX, isohybrid, Windows, the BSDs and LILO pass; messages that a disk
// cannot be started from, other systems' headers and leftovers do not.
func (m MBR) Boots() bool {
	if !bytes.Contains(m.Code[:], diskService) {
		return false
	}
	if bytes.HasPrefix(m.Code[:], []byte(appleSignature)) {
		return begins(m.Code[appleFirst:]) || begins(m.Code[appleAll:])
	}
	return begins(m.Code[:])
}

// begins reports whether code begins as a program does that knows nothing about
// the registers (Intel SDM volume 2, opcodes of 16 bits): with a jump, or by
// setting up flags, segments, registers or the stack.
func begins(code []byte) bool {
	for len(code) > 0 && code[0] == 0x90 { // nop
		code = code[1:]
	}
	if len(code) < 3 {
		return false
	}
	first, second := code[0], code[1]
	if first == 0x66 { // operands of 32 bits
		first, second = code[1], code[2]
	}
	toRegister := second >= 0xC0 // ModR/M of an operation between registers
	switch first {
	case 0xEB, 0xE8, 0xE9, 0xEA: // jmp, call
		return true
	case 0xFA, 0xFB, 0xFC, 0xFD: // cli, sti, cld, std
		return true
	case 0x06, 0x0E, 0x16, 0x1E, 0x60, 0x9C: // push of segments, all registers, flags
		return true
	case 0x31, 0x33, 0x29, 0x2B, 0x89, 0x8B, 0x8C, 0x8E, 0x88, 0x8A: // xor, sub, mov
		return toRegister
	}
	return first >= 0x50 && first <= 0x57 || first >= 0xB0 && first <= 0xBF // push, mov of constants
}
