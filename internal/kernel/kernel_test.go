package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// configText is a configuration as the kernel's build writes it.
const configText = `#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.1.192 Kernel Configuration
#
CONFIG_CC_VERSION_TEXT="gcc (GCC) 12.2.0"
CONFIG_LOCALVERSION=""
CONFIG_NR_CPUS=64
CONFIG_SQUASHFS=m
CONFIG_SQUASHFS_ZLIB=y
# CONFIG_SQUASHFS_ZSTD is not set
`

func checkConfig(t *testing.T, c Config) {
	t.Helper()
	for option, want := range map[string]bool{"SQUASHFS": true, "SQUASHFS_ZLIB": true, "SQUASHFS_ZSTD": false, "NR_CPUS": false} {
		if c.Has(option) != want {
			t.Errorf("%s is on: %v, want %v", option, !want, want)
		}
	}
	if got := c["LOCALVERSION"]; got != `""` {
		t.Errorf("LOCALVERSION is %q", got)
	}
}

// filter runs a program over data.
func filter(t testing.TB, data []byte, debianPackage, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(judge.Path(t, debianPackage, program), args...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return out
}

// vmlinux is a kernel with its configuration inside, which hardly compresses.
// The marker lies where two looks at it meet.
func vmlinux(t testing.TB, config string) []byte {
	t.Helper()
	noise := make([]byte, 3*scanBuffer)
	random := rand.NewChaCha8([32]byte{})
	random.Read(noise)
	text := filter(t, []byte(config), "gzip", "gzip", "-9n")
	before := bytes.Clone(noise[:2*scanBuffer-len(marker)-3])
	copy(before[100:], "IKCFG_ST") // without a configuration
	return bytes.Join([][]byte{before, []byte("IKCFG_ST"), text, []byte("IKCFG_ED"), noise[:1000]}, nil)
}

// compressors are the commands of the kernel's build (scripts/Makefile.lib),
// and whether the size is appended to what they make.
var compressors = map[string]struct {
	command []string // Debian package, program, arguments
	size    bool
}{
	"gzip":  {[]string{"gzip", "gzip", "-n", "-f", "-9"}, false},
	"xz":    {[]string{"xz-utils", "xz", "--check=crc32", "--x86", "--lzma2=,dict=128MiB"}, true},
	"zstd":  {[]string{"zstd", "zstd", "-22", "--ultra"}, true},
	"lz4":   {[]string{"lz4", "lz4", "-l", "-9", "-", "-"}, true},
	"bzip2": {[]string{"bzip2", "bzip2", "-9"}, true},
}

func compress(t testing.TB, kernel []byte, name string) []byte {
	t.Helper()
	c := compressors[name]
	packed := filter(t, kernel, c.command[0], c.command[1], c.command[2:]...)
	if c.size {
		packed = binary.LittleEndian.AppendUint32(packed, uint32(len(kernel)))
	}
	return packed
}

// bzImage wraps a compressed kernel as Linux does for x86.
func bzImage(t testing.TB, packed []byte) []byte {
	t.Helper()
	const sectors, decompressor = 7, 0x2cc
	head := make([]byte, (sectors+1)*sectorSize)
	h := setupHeader{
		SetupSectors: sectors, BootFlag: bootFlag, Protocol: 0x020f,
		KernelVersion: 0x300, PayloadOffset: decompressor, PayloadLength: uint32(len(packed)),
	}
	copy(h.Magic[:], setupMagic)
	if _, err := binary.Encode(head[setupHeaderPos:], binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	copy(head[0x300+sectorSize:], "6.1.0-56-amd64 (builder@host) #1 SMP\x00")
	return bytes.Join([][]byte{head, make([]byte, decompressor), packed, make([]byte, 4096)}, nil)
}

func zboot(t testing.TB, packed []byte) []byte {
	t.Helper()
	const start = 0x1000
	head := make([]byte, start)
	h := zbootHeader{PayloadOffset: start, PayloadLength: uint32(len(packed))}
	copy(h.DOSMagic[:], "MZ")
	copy(h.Magic[:], zbootMagic)
	if _, err := binary.Encode(head, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	return append(head, packed...)
}

func TestHeaderSizes(t *testing.T) {
	if got := binary.Size(setupHeader{}); got != setupHeaderSize {
		t.Errorf("setupHeader has %d bytes, want %d", got, setupHeaderSize)
	}
	if got := binary.Size(zbootHeader{}); got != zbootHeaderSize {
		t.Errorf("zbootHeader has %d bytes, want %d", got, zbootHeaderSize)
	}
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadEmbedded(t *testing.T) {
	kernel := vmlinux(t, configText)
	images := map[string][]byte{"plain": kernel}
	for name := range compressors {
		packed := compress(t, kernel, name)
		images["bzImage "+name] = bzImage(t, packed)
		images["zboot "+name] = zboot(t, packed)
		images["Image."+name] = packed
	}
	for name, image := range images {
		t.Run(name, func(t *testing.T) {
			config, err := ReadConfig(write(t, "bzImage", image), os.Open)
			if err != nil {
				t.Fatal(err)
			}
			checkConfig(t, config)
		})
	}
}

// The kernel of the test flake is Debian's, which has none inside.
func TestDebianKernel(t *testing.T) {
	mini := os.Getenv("LIVEBUILD_MINI")
	if mini == "" {
		judge.Missing(t, "the test flake", "LIVEBUILD_MINI must name the mini flake: 'make mini' assembles it")
	}
	image := filepath.Join(mini+".deb", "amd64", "boot", "vmlinuz")
	// Its configuration lies beside it.
	alone := func(path string) (*os.File, error) {
		if path != image {
			return nil, os.ErrNotExist
		}
		return os.Open(path)
	}
	config, err := ReadConfig(image, alone)
	if !errors.Is(err, ErrNoConfig) || !strings.Contains(err.Error(), "built without") {
		t.Errorf("%d options, %v", len(config), err)
	}
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := release(f); !strings.HasPrefix(got, "6.1.0-") || !strings.HasSuffix(got, "-amd64") {
		t.Errorf("its release is %q", got)
	}
}

func TestReadBeside(t *testing.T) {
	image := bzImage(t, compress(t, []byte("no configuration"), "gzip"))
	for imageName, configName := range map[string]string{
		"bzImage":         "config-6.1.0-56-amd64",
		"vmlinuz":         "config",
		"vmlinuz-6.9-own": "config-6.9-own",
		"Image":           ".config",
	} {
		path := write(t, imageName, image)
		if _, err := ReadConfig(path, os.Open); !errors.Is(err, ErrNoConfig) {
			t.Errorf("%s alone: %v", imageName, err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), configName), []byte(configText), 0o644); err != nil {
			t.Fatal(err)
		}
		config, err := ReadConfig(path, os.Open)
		if err != nil {
			t.Errorf("%s with %s: %v", imageName, configName, err)
		}
		checkConfig(t, config)
	}
}

// A file named by the kernel's release is believed without unpacking the image.
func TestReadBesideFirst(t *testing.T) {
	image := bzImage(t, compress(t, vmlinux(t, "CONFIG_OTHER=y\n"), "zstd"))
	image = image[:len(image)-8] // cut off: it cannot be unpacked
	path := write(t, "bzImage", image)
	beside := filepath.Join(filepath.Dir(path), "config-6.1.0-56-amd64")
	if err := os.WriteFile(beside, []byte(configText), 0o644); err != nil {
		t.Fatal(err)
	}
	config, err := ReadConfig(path, os.Open)
	if err != nil {
		t.Fatal(err)
	}
	checkConfig(t, config)
}

func TestUnreadable(t *testing.T) {
	good := bzImage(t, compress(t, vmlinux(t, configText), "zstd"))
	old := bytes.Clone(good)
	binary.LittleEndian.PutUint16(old[0x206:], 0x0207)
	far := bytes.Clone(good)
	binary.LittleEndian.PutUint32(far[0x248:], 1<<31)
	damaged := bytes.Clone(good)
	copy(damaged[len(damaged)/2:], make([]byte, 4096))
	config := vmlinux(t, configText)
	copy(config[bytes.LastIndex(config, []byte("IKCFG_ED"))-40:], make([]byte, 40))
	for name, image := range map[string][]byte{
		"empty":                 nil,
		"text":                  []byte("#!/bin/sh\n"),
		"protocol before 2.08":  old,
		"payload beyond end":    far,
		"cut off":               good[:len(good)/2],
		"damaged":               damaged,
		"damaged configuration": config,
		"empty configuration":   vmlinux(t, "# nothing\n"),
		"endless configuration": vmlinux(t, "CONFIG_A="+strings.Repeat("a", 2*lineMax)),
		"lzma":                  bzImage(t, []byte("\x5d\x00\x00\x00\x04 and so on")),
		"lzo":                   bzImage(t, []byte("\x89LZO\x00\r\n\x1a\n and so on")),
	} {
		if config, err := ReadConfig(write(t, "bzImage", image), os.Open); !errors.Is(err, ErrNoConfig) {
			t.Errorf("%s: %d options, %v", name, len(config), err)
		}
	}
	if _, err := ReadConfig(filepath.Join(t.TempDir(), "bzImage"), os.Open); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func FuzzReadEmbedded(f *testing.F) {
	small := bytes.Join([][]byte{[]byte("IKCFG_ST"), filter(f, []byte(configText), "gzip", "gzip", "-9n"), []byte("IKCFG_ED")}, nil)
	f.Add(small)
	for name := range compressors {
		packed := compress(f, small, name)
		f.Add(packed)
		f.Add(bzImage(f, packed))
		f.Add(zboot(f, packed))
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		config, err := readEmbedded(bytes.NewReader(image), int64(len(image)))
		if err != nil && !errors.Is(err, ErrNoConfig) {
			t.Errorf("another error: %v", err)
		}
		if err == nil && len(config) == 0 {
			t.Error("a configuration without options")
		}
		release(bytes.NewReader(image))
	})
}
