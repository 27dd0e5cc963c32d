// Package branch tells what a filter for branches of an architecture would do for a compressor of some
// bytes, without compressing them. Such a filter (xz' BCJ filters) puts the address to which a branch
// leads in the place of its distance, so that calls of one function from many places become alike.
package branch

import (
	"encoding/binary"
	"math/bits"
)

// Machine is an architecture with its branches.
type Machine int

// The architectures whose branches are known here.
const (
	X86 Machine = iota
	PowerPC
	ARM
	ARMThumb
	SPARC
	ARM64
	machines
)

// branches count the branches in code that begins at address 0: where each leads, and how far that is, in
// units of the architecture. They are what liblzma's filters change (liblzma/simple), but for rare cases
// in which those look further ahead.
var branches = [machines]func(c *Counter, p []byte){
	X86:      x86,
	PowerPC:  powerPC,
	ARM:      arm,
	ARMThumb: armThumb,
	SPARC:    sparc,
	ARM64:    arm64,
}

// Counter counts branches. The zero value is ready; it is for one goroutine at a time.
type Counter struct {
	targets, distances seen
	surplus            int
}

// Surplus is by how many branches of m in p that lead where an earlier one leads exceed those which are as
// far from their target as an earlier one: what a compressor would find again with the filter, and what it
// finds without. It is negative for code that was linked apart, whose branches hold no targets yet, and
// for tables which look like code. An address is taken for seen by one of its hash, so the last of two
// that share one counts.
func (c *Counter) Surplus(m Machine, p []byte) int {
	*c = Counter{}
	branches[m](c, p)
	return c.surplus
}

// add counts a branch.
func (c *Counter) add(target, distance uint32) {
	if c.targets.again(target) {
		c.surplus++
	}
	if c.distances.again(distance) {
		c.surplus--
	}
}

// seenBits is enough for the 30,000 branches of a MiB of dense code, most of which come again.
const seenBits = 14

// seen is the last number of each hash, plus 1.
type seen [1 << seenBits]uint32

// again says whether x, of at most 31 bits, was there, and puts it there.
func (s *seen) again(x uint32) bool {
	const golden = 0x9e3779b1 // 2^32 divided by the golden ratio, the nearest prime
	slot := &s[x*golden>>(32-seenBits)]
	was := *slot == x+1
	*slot = x + 1
	return was
}

// x86 counts CALL rel32 and JMP rel32 of less than 16 MiB, whose last byte is 0x00 or 0xff (x86.c).
func x86(c *Counter, p []byte) {
	const opcode, opcodeMask, length, mask = 0xe8, 0xfe, 5, 1<<25 - 1 // E8 CALL, E9 JMP
	for i := 0; i+length <= len(p); i++ {
		if p[i]&opcodeMask != opcode {
			continue
		}
		if last := p[i+length-1]; last != 0x00 && last != 0xff {
			continue
		}
		distance := binary.LittleEndian.Uint32(p[i+1:])
		c.add((distance+uint32(i)+length)&mask, distance&mask)
		i += length - 1
	}
}

// instruction is a branch in a word of 32 bits.
type instruction struct {
	mask, opcode, other uint32 // of the word masked; two opcodes
	bits                uint32 // of the distance, which counts in words
	shift               int    // of these in the word
	bigEndian           bool
}

// words counts an instruction in each word, which lies at its number in words.
func (c *Counter) words(p []byte, in instruction) {
	for i := 0; i+4 <= len(p); i += 4 {
		word := binary.LittleEndian.Uint32(p[i:])
		if in.bigEndian {
			word = bits.ReverseBytes32(word)
		}
		if op := word & in.mask; op == in.opcode || op == in.other {
			distance := word >> in.shift & in.bits
			c.add((distance+uint32(i/4))&in.bits, distance)
		}
	}
}

// powerPC counts bl (powerpc.c): opcode 18, with the link bit and without the absolute one.
func powerPC(c *Counter, p []byte) {
	const opcode = 18<<26 | 1
	c.words(p, instruction{mask: 0x3f<<26 | 3, opcode: opcode, other: opcode, bits: 1<<24 - 1, shift: 2, bigEndian: true})
}

// arm counts BL that is always taken (arm.c).
func arm(c *Counter, p []byte) {
	const opcode = 0xeb << 24
	c.words(p, instruction{mask: 0xff << 24, opcode: opcode, other: opcode, bits: 1<<24 - 1})
}

// armThumb counts BL of two halfwords (armthumb.c).
func armThumb(c *Counter, p []byte) {
	const mask = 1<<22 - 1
	for i := 0; i+4 <= len(p); i += 2 {
		if p[i+1]&0xf8 != 0xf0 || p[i+3]&0xf8 != 0xf8 {
			continue
		}
		distance := uint32(p[i+1]&7)<<19 | uint32(p[i])<<11 | uint32(p[i+3]&7)<<8 | uint32(p[i+2])
		c.add((distance+uint32(i/2))&mask, distance)
		i += 2
	}
}

// sparc counts call within 16 MiB (sparc.c): the upper bits of the distance are all equal.
func sparc(c *Counter, p []byte) {
	c.words(p, instruction{mask: 0x3ff << 22, opcode: 0x100 << 22, other: 0x1ff << 22, bits: 1<<23 - 1, bigEndian: true})
}

// arm64 counts BL (arm64.c). That filter changes ADRP, too, of which there are fewer, mostly for the same
// pages of near places.
func arm64(c *Counter, p []byte) {
	const opcode = 0x25 << 26
	c.words(p, instruction{mask: 0x3f << 26, opcode: opcode, other: opcode, bits: 1<<26 - 1})
}
