package kernel

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// setupHeader is the header of a kernel for x86, "bzImage", up to the fields
// about its payload (Linux, Documentation/arch/x86/boot.rst).
type setupHeader struct {
	SetupSectors  uint8 // of 512 bytes, without the first; 0 stands for 4
	_             [12]byte
	BootFlag      uint16 // bootFlag
	_             uint16 // a jump
	Magic         [4]byte
	Protocol      uint16
	_             [6]byte
	KernelVersion uint16 // where its text is, less sectorSize; 0 if it is nowhere
	_             [56]byte
	PayloadOffset uint32 // from the end of the sectors, since payloadProtocol
	PayloadLength uint32
}

const (
	setupHeaderPos      = 0x1f1
	setupHeaderSize     = 0x250 - setupHeaderPos
	sectorSize          = 512
	bootFlag            = 0xaa55
	setupMagic          = "HdrS"
	payloadProtocol     = 0x0208
	defaultSetupSectors = 4
	releaseMax          = 128 // bytes looked at for the version's text
)

// zbootHeader is the head of a compressed kernel that unpacks itself as an EFI
// program (Linux, drivers/firmware/efi/libstub/zboot-header.S).
type zbootHeader struct {
	DOSMagic      [4]byte // "MZ"
	Magic         [4]byte
	PayloadOffset uint32 // from the start of the image
	PayloadLength uint32
	_             [8]byte
	Compression   [32]byte
}

const (
	zbootHeaderSize = 0x38
	zbootMagic      = "zimg"
)

// readSetupHeader returns the header of a bzImage, or false if the image is
// none.
func readSetupHeader(image io.ReaderAt) (setupHeader, bool) {
	var h setupHeader
	p := make([]byte, setupHeaderSize)
	if _, err := image.ReadAt(p, setupHeaderPos); err != nil {
		return h, false
	}
	if _, err := binary.Decode(p, binary.LittleEndian, &h); err != nil {
		return h, false
	}
	return h, h.BootFlag == bootFlag && string(h.Magic[:]) == setupMagic
}

// readZbootHeader returns the header of an EFI zboot image, or false if the
// image is none.
func readZbootHeader(image io.ReaderAt) (zbootHeader, bool) {
	var h zbootHeader
	p := make([]byte, zbootHeaderSize)
	if _, err := image.ReadAt(p, 0); err != nil {
		return h, false
	}
	if _, err := binary.Decode(p, binary.LittleEndian, &h); err != nil {
		return h, false
	}
	return h, string(h.DOSMagic[:2]) == "MZ" && string(h.Magic[:]) == zbootMagic
}

// payload returns the part of an image that the kernel itself is in: all of
// it unless the image is a program that unpacks it.
func payload(image io.ReaderAt, size int64) (*io.SectionReader, error) {
	start, length := int64(0), size
	if h, ok := readSetupHeader(image); ok {
		if h.Protocol < payloadProtocol {
			return nil, fmt.Errorf("boot protocol %d.%d does not tell where the kernel is", h.Protocol>>8, h.Protocol&0xff)
		}
		sectors := int64(h.SetupSectors)
		if sectors == 0 {
			sectors = defaultSetupSectors
		}
		start = (sectors+1)*sectorSize + int64(h.PayloadOffset)
		length = int64(h.PayloadLength)
	} else if h, ok := readZbootHeader(image); ok {
		start, length = int64(h.PayloadOffset), int64(h.PayloadLength)
	}
	if start > size || length > size-start {
		return nil, errors.New("the image is cut off")
	}
	return io.NewSectionReader(image, start, length), nil
}

// unpack returns the kernel itself. What is not compressed in a known way is
// taken as it is, like the images of arm64 and vmlinux.
func unpack(image io.ReaderAt, size int64) (*bufio.Reader, error) {
	packed, err := payload(image, size)
	if err != nil {
		return nil, err
	}
	kernel, err := decompress(packed)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(io.LimitReader(kernel, kernelMax), scanBuffer), nil
}

// kernelMax bounds an unpacked kernel, in bytes; those of distributions have
// 30 to 100 MB.
const kernelMax = 512 << 20

// banner precedes the version in a kernel (init/version.c, linux_banner).
var banner = []byte("Linux version ")

// Version returns the version of the kernel in an image of size bytes as uname(2) tells it, or
// "" if the image does not tell.
func Version(image io.ReaderAt, size int64) string {
	if version := release(image); version != "" {
		return version
	}
	kernel, err := unpack(image, size)
	if err != nil {
		return ""
	}
	for {
		// The text is elsewhere, too, as a format: "Linux version %s".
		if err := findText(kernel, banner); err != nil {
			return ""
		}
		text, err := kernel.Peek(len(banner) + releaseMax)
		if err != nil && !errors.Is(err, io.EOF) {
			return ""
		}
		text = text[len(banner):]
		if version, _, ok := bytes.Cut(text, []byte(" ")); ok && len(version) > 0 && version[0] >= '0' && version[0] <= '9' {
			return string(version)
		}
		if _, err := kernel.Discard(len(banner)); err != nil {
			return ""
		}
	}
}

// release is the version of a bzImage as uname(2) tells it, or empty.
func release(image io.ReaderAt) string {
	h, ok := readSetupHeader(image)
	if !ok || h.KernelVersion == 0 {
		return ""
	}
	text := make([]byte, releaseMax)
	n, err := image.ReadAt(text, int64(h.KernelVersion)+sectorSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	text, _, _ = bytes.Cut(text[:n], []byte{0})
	version, _, _ := strings.Cut(string(text), " ")
	if strings.ContainsAny(version, "/") {
		return ""
	}
	return version
}
