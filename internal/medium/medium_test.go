package medium

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// memory is a file in memory.
type memory struct{ bytes.Buffer }

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	if end := int(offset) + len(p); end > m.Len() {
		m.Write(make([]byte, end-m.Len()))
	}
	return copy(m.Bytes()[offset:], p), nil
}

// read reads an image in memory.
func read(data []byte) (*Medium, error) { return Read(bytes.NewReader(data), int64(len(data))) }

// sample writes a small image. Its EFI loaders are for these processors, on the medium or
// in the partition alone.
func sample(t *testing.T, bios, hybrid bool, onMedium, inPartition string) []byte {
	t.Helper()
	img := hybridiso.Image{
		VolumeID: "SAMPLE", DataPreparer: Preparer,
		Files: []hybridiso.File{
			{Path: "isolinux/isolinux.bin", Data: make([]byte, 4096)},
			{Path: "isolinux/isolinux.cfg", Data: []byte("LABEL x\n")},
			{Path: "large", Data: make([]byte, maxTextSize+1)},
		},
		Boot: hybridiso.Boot{Hybrid: hybrid},
	}
	if bios {
		img.Boot.BIOS = &hybridiso.BIOSBoot{Path: "isolinux/isolinux.bin"}
	}
	if bios && hybrid {
		img.Boot.BIOS.MBR = []byte{0xFA, 0x31, 0xC0, 0xB4, 0x42, 0xCD, 0x13}
	}
	if onMedium != "" {
		img.Files = append(img.Files, hybridiso.File{Path: "EFI/boot/boot" + onMedium + ".efi", Data: []byte("MZ")})
	}
	if inPartition != "" {
		esp, err := fat.Image{
			Label: "EFIBOOT", Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), Size: 1 << 20,
			Files: []fat.File{{Path: "EFI/BOOT/BOOT" + inPartition + ".EFI", Data: []byte("MZ")}},
		}.Layout()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := esp.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		img.Files = append(img.Files, hybridiso.File{Path: "boot/efi.img", Data: b.Bytes()})
		img.Boot.EFI = &hybridiso.EFIBoot{Path: "boot/efi.img"}
	}
	layout, err := img.Layout()
	if err != nil {
		t.Fatal(err)
	}
	var out memory
	if _, err := layout.Write(t.Context(), &out, func(context.Context, io.WriterAt) (int64, error) { return 0, nil }); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRead(t *testing.T) {
	tests := []struct {
		name                  string
		bios, hybrid          bool
		onMedium, inPartition string
		arch                  string
		firmware32            bool
		modes                 []Mode
	}{
		{"all", true, true, "x64", "X64", "x86_64", false, MediumModes()},
		{"disc alone", true, false, "x64", "X64", "x86_64", false, []Mode{BIOSCD, UEFICD}},
		{"BIOS alone", true, true, "", "", "x86_64", false, []Mode{BIOSCD, BIOSUSB}},
		{"aarch64", false, true, "aa64", "AA64", "aarch64", false, []Mode{UEFICD, UEFIUSB}},
		{"loader in the partition alone", false, true, "", "AA64", "aarch64", false, []Mode{UEFICD, UEFIUSB}},
		{"32 bits", true, true, "ia32", "IA32", "x86_64", true, MediumModes()},
		{"32 bits in the partition alone", false, true, "", "IA32", "x86_64", true, []Mode{UEFICD, UEFIUSB}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data := sample(t, test.bios, test.hybrid, test.onMedium, test.inPartition)
			i, err := read(data)
			if err != nil {
				t.Fatal(err)
			}
			if i.Arch != test.arch || i.Firmware32 != test.firmware32 || !slices.Equal(i.Modes, test.modes) || i.Volume.ID != "SAMPLE" || !i.MadeHere() {
				t.Errorf("Read = %s, firmware of 32 bits: %t, %v, %q, made here: %t, want %s, %t, %v",
					i.Arch, i.Firmware32, i.Modes, i.Volume.ID, i.MadeHere(), test.arch, test.firmware32, test.modes)
			}
			// A boot sector of zeros takes no mode away: the image still claims it.
			clear(data[:512])
			if i, err = read(data); err != nil || !slices.Equal(i.Modes, test.modes) {
				t.Errorf("without its MBR: %v, %v, want %v", i, err, test.modes)
			}
		})
	}
}

func TestText(t *testing.T) {
	i, err := read(sample(t, true, true, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"ISOLINUX/isolinux.cfg": "LABEL x\n", "absent": "", "isolinux": "", "large": ""} {
		text, ok, err := i.Files().Text(path)
		if text != want || ok != (want != "") || err != nil {
			t.Errorf("Text(%q) = %q, %t, %v, want %q", path, text, ok, err, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	whole := sample(t, true, true, "x64", "X64")
	tests := map[string]struct {
		data   []byte
		reason string
	}{
		"empty":         {nil, "no ISO 9660 volume"},
		"text":          {[]byte(strings.Repeat("text\n", 100000)), "no ISO 9660 volume"},
		"head alone":    {whole[:20<<10], "no ISO 9660 volume"},
		"boots nothing": {sample(t, false, false, "", ""), "neither a boot catalog nor partitions"},
		"RISC-V":        {sample(t, false, true, "riscv64", "RV64"), "no boot loader for x86_64 or aarch64"},
	}
	for name, test := range tests {
		_, err := read(test.data)
		var foreign *ForeignError
		if !errors.As(err, &foreign) || !strings.Contains(foreign.Reason, test.reason) {
			t.Errorf("%s: Read error = %v, want a ForeignError: %s", name, err, test.reason)
		}
	}
}
