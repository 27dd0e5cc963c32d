package gpt

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestBoots asks of programs and of what is none.
func TestBoots(t *testing.T) {
	boots := func(code []byte) bool {
		var m MBR
		copy(m.Code[:], code)
		return m.Boots()
	}
	apple := append([]byte("ER\x08\x00\x00\x00\x90\x90"), make([]byte, 24)...)
	for _, file := range []string{
		"/usr/lib/ISOLINUX/isohdpfx.bin", "/usr/lib/ISOLINUX/isohdppx.bin", "/usr/lib/syslinux/mbr/mbr.bin",
		"/usr/lib/syslinux/mbr/gptmbr.bin", "/usr/lib/syslinux/mbr/altmbr.bin",
	} {
		code, err := os.ReadFile(judge.File(t, "isolinux and syslinux-common", file))
		if err != nil {
			t.Fatal(err)
		}
		if !boots(code) {
			t.Errorf("%s is no boot code", file)
		}
		if strings.Contains(file, "isohd") && !boots(append(apple[:32:32], code[32:]...)) {
			t.Errorf("%s behind an Apple driver descriptor is no boot code", file)
		}
	}
	for name, code := range map[string][]byte{
		// The beginnings, with the call that follows somewhere.
		"GRUB":         {0xEB, 0x63, 0x90, 0, 0, 0xB4, 0x42, 0xCD, 0x13},
		"pushes first": {0x52, 0x56, 0xBE, 0x1B, 0x81, 0xE8, 0x39, 0xCD, 0x13},
		// As grub-mkrescue 2.06 and xorriso write it behind a driver descriptor.
		"GRUB behind a descriptor": append([]byte{0x45, 0x52, 0x08, 0x00, 0xEB, 0x02, 0xFF, 0xFF}, append(bytes.Repeat([]byte{0x90}, 18),
			0xEB, 0x49, 0x24, 0x12, 0x0F, 0x09, 0x00, 0x52, 0xBE, 0x1B, 0x7C, 0x31, 0xC0, 0xCD, 0x13)...),
		"Windows":       {0x33, 0xC0, 0x8E, 0xD0, 0xBC, 0x00, 0x7C, 0xCD, 0x13},
		"FreeBSD":       {0xFC, 0x31, 0xC0, 0x8E, 0xC0, 0xCD, 0x13},
		"32-bit":        {0x66, 0x31, 0xC0, 0xCD, 0x13},
		"nops":          {0x90, 0x90, 0xFA, 0xCD, 0x13},
		"near jump":     {0xE9, 0x00, 0x01, 0xCD, 0x13},
		"saves a drive": {0x88, 0xD0, 0xCD, 0x13},
	} {
		if !boots(code) {
			t.Errorf("%s is no boot code", name)
		}
	}
	for name, code := range map[string][]byte{
		"nothing":                     nil,
		"one byte":                    {1},
		"one instruction":             {0xFA},
		"Apple driver descriptor":     apple,
		"Apple partition map":         append(apple[:32:32], "\x00\x00\x00\x01\x00\x00\x00\x40Apple_Driver"...),
		"text":                        []byte("This medium was made by nobody in particular.\r\n"),
		"a call in nothing":           append(make([]byte, 100), 0xCD, 0x13),
		"message of a file system":    {0xEB, 0x3C, 0x90, 0x0E, 0x1F, 0xAC, 0xCD, 0x10, 0xCD, 0x16, 0xCD, 0x19},
		"on to the next device alone": {0xCD, 0x18},
		"zeros":                       make([]byte, 440),
	} {
		if boots(code) {
			t.Errorf("%s is boot code", name)
		}
	}
}
