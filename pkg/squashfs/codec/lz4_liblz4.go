//go:build cgo

package codec

/*
#cgo LDFLAGS: -llz4
#include <lz4.h>
#include <lz4hc.h>
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// lz4Backend compresses with liblz4: with LZ4_compress_fast at level 1, else with LZ4_compress_HC.
func lz4Backend(level int) backend {
	b := backend{
		library:         "liblz4 " + C.GoString(C.LZ4_versionString()),
		newDecompressor: func() decompressor { return unlz4{} },
	}
	if level == methodOf(LZ4).level {
		b.newCompressor = func() compressor { return lz4Fast(newLZ4State(C.LZ4_sizeofState())) }
		return b
	}
	level = min(level, highestLZ4)
	b.library += fmt.Sprintf(" high %d", level)
	b.newCompressor = func() compressor {
		return &lz4High{state: newLZ4State(C.LZ4_sizeofStateHC()), level: C.int(level)}
	}
	return b
}

// lz4State is working memory for liblz4, which wants it aligned to 8 bytes and initialises it for
// each block.
type lz4State []uint64

func newLZ4State(size C.int) lz4State {
	const word = C.int(unsafe.Sizeof(uint64(0)))
	return make(lz4State, (size+word-1)/word)
}

type lz4Fast lz4State

func (state lz4Fast) compress(dst, src []byte) (int, error) {
	const acceleration = 1 // as LZ4_compress_default
	n := C.LZ4_compress_fast_extState(unsafe.Pointer(&state[0]),
		(*C.char)(unsafe.Pointer(unsafe.SliceData(src))), (*C.char)(unsafe.Pointer(unsafe.SliceData(dst))),
		C.int(len(src)), C.int(len(dst)), acceleration)
	return int(n), nil
}

type lz4High struct {
	state lz4State
	level C.int
}

func (c *lz4High) compress(dst, src []byte) (int, error) {
	n := C.LZ4_compress_HC_extStateHC(unsafe.Pointer(&c.state[0]),
		(*C.char)(unsafe.Pointer(unsafe.SliceData(src))), (*C.char)(unsafe.Pointer(unsafe.SliceData(dst))),
		C.int(len(src)), C.int(len(dst)), c.level)
	return int(n), nil
}
