package persistence_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/persistence"
)

// TestContent reads what the real programs make of a partition.
func TestContent(t *testing.T) {
	const start, size = 8 * mib, 64 * mib
	p := persistence.Partition{Start: start, Size: size}
	// made is a partition that a program made something of.
	made := func(t *testing.T, script string) []byte {
		t.Helper()
		file := filepath.Join(t.TempDir(), "partition")
		if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", script, "sh", file)
		cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin") // where judge.Path finds it
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	fresh := func(f persistence.Format) []byte {
		b := make([]byte, size)
		for _, piece := range (persistence.Kept{Partition: p, Fresh: f}).Pieces() {
			copy(b[piece.Offset-start:], piece.Data)
		}
		return b
	}
	for name, test := range map[string]struct {
		program string // that makes it
		debian  string // the package with it
		content func(t *testing.T) []byte
		want    persistence.Content
	}{
		"nothing":       {"", "", func(*testing.T) []byte { return make([]byte, size) }, persistence.Content{}},
		"a new one":     {"", "", func(*testing.T) []byte { return fresh(persistence.Ext4) }, persistence.Content{Format: persistence.Ext4, New: true}},
		"a new LUKS":    {"", "", func(*testing.T) []byte { return fresh(persistence.LUKS) }, persistence.Content{Format: persistence.LUKS, New: true}},
		"another order": {"", "", func(*testing.T) []byte { return fresh("xfs") }, persistence.Content{}},
		"ext4": {
			"mkfs.ext4", "e2fsprogs", func(t *testing.T) []byte {
				return made(t, `mkfs.ext4 -q -F -L LIVEBUILD_P12ab -U 01234567-89ab-cdef-0123-456789abcdef "$1"`)
			},
			persistence.Content{Format: persistence.Ext4, UUID: "01234567-89ab-cdef-0123-456789abcdef", Label: "LIVEBUILD_P12ab"},
		},
		"ext2": {"mkfs.ext4", "e2fsprogs", func(t *testing.T) []byte { return made(t, `mke2fs -t ext2 -q -F "$1"`) }, persistence.Content{}},
		"LUKS2": {
			"cryptsetup", "cryptsetup-bin", func(t *testing.T) []byte {
				return made(t, `echo secret | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label kept --uuid 01234567-89ab-cdef-0123-456789abcdef --key-file - "$1"`)
			},
			persistence.Content{Format: persistence.LUKS, UUID: "01234567-89ab-cdef-0123-456789abcdef", Label: "kept"},
		},
		"LUKS1": {
			"cryptsetup", "cryptsetup-bin", func(t *testing.T) []byte {
				return made(t, `echo secret | cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 --uuid 01234567-89ab-cdef-0123-456789abcdef --key-file - "$1"`)
			},
			persistence.Content{Format: persistence.LUKS, UUID: "01234567-89ab-cdef-0123-456789abcdef"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.program != "" {
				judge.Path(t, test.debian, test.program)
			}
			disk := append(make([]byte, start), test.content(t)...)
			got, err := p.Content(bytes.NewReader(disk))
			if err != nil || got != test.want {
				t.Errorf("%+v, %v, want %+v", got, err, test.want)
			}
		})
	}
	for _, length := range []int64{0, start + 100, start + size - 1} {
		if c, err := p.Content(bytes.NewReader(make([]byte, length))); err == nil || !errors.Is(err, io.EOF) {
			t.Errorf("of a disk of %d bytes: %+v, %v", length, c, err)
		}
	}
}

// FuzzContent reads anything.
func FuzzContent(f *testing.F) {
	p := persistence.Partition{Start: mib, Size: mib}
	f.Add([]byte("LUKS\xba\xbe\x00\x02"), []byte("livebuild: a file system is made here at the first start.\nluks\n"))
	f.Add(append(make([]byte, 1080), 0x53, 0xEF), []byte{})
	f.Fuzz(func(t *testing.T, begin, end []byte) {
		disk := make([]byte, 2*mib)
		copy(disk[mib:], begin)
		copy(disk[2*mib-4096:], end)
		c, err := p.Content(bytes.NewReader(disk))
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(c); strings.Contains(text, "\x00") || c.New && c.UUID+c.Label != "" {
			t.Errorf("%+v", c)
		}
	})
}
