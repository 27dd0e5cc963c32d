package secureboot

import (
	"encoding/binary"

	"github.com/livebuild/livebuild/pkg/authenticode"
)

// What is inside a GRUB: a section with modules, each with a header (struct grub_module_info64 and
// struct grub_module_header in include/grub/kernel.h).
const (
	modulesSection = "mods"
	modulesMagic   = "mimg"
	moduleHeader   = 8 // kind and size, the header counted
	publicKeyKind  = 4 // OBJ_TYPE_PUBKEY
)

// modulesHeaders are the sizes of grub_module_info: of 64 bits, of 32.
var modulesHeaders = map[authenticode.Machine]int{
	authenticode.AMD64: 24, authenticode.ARM64: 24, authenticode.RISCV64: 24,
	authenticode.I386: 12, authenticode.ARM: 12,
}

// insideGRUB is the key by which a GRUB verifies what it reads; nil if it does not, or is no GRUB.
func insideGRUB(i *authenticode.Image) (*Verifier, error) {
	mods := i.Section(modulesSection)
	at, known := modulesHeaders[i.Machine]
	if !known || len(mods) < at || string(mods[:4]) != modulesMagic {
		return nil, nil
	}
	for at+moduleHeader <= len(mods) {
		kind, size := binary.LittleEndian.Uint32(mods[at:]), int64(binary.LittleEndian.Uint32(mods[at+4:]))
		if size < moduleHeader || int64(at)+size > int64(len(mods)) {
			return nil, nil
		}
		if kind == publicKeyKind {
			return ParseVerifier(mods[at+moduleHeader : int64(at)+size])
		}
		at += int(size)
	}
	return nil, nil
}
