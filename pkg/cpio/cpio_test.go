package cpio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

func sample() []Member {
	return WithFolders([]Member{
		{"init", ModeRegular | 0o755, []byte("#!/bin/sh\n")},
		{"etc/deep/one", ModeRegular | 0o640, []byte("1")},
		{"etc/deep/four", ModeRegular | 0o400, []byte("four")},
		{"etc/empty", ModeRegular | 0o644, nil},
		{"etc/link", ModeLink | 0o777, []byte("deep/one")},
	})
}

// unpackers are programs that unpack an archive from standard input into their folder.
func unpackers(t *testing.T) map[string]*exec.Cmd {
	return map[string]*exec.Cmd{
		"busybox": exec.Command(judge.Path(t, "busybox-static", "busybox"), "cpio", "-i", "-d", "-m"),
		"GNU":     exec.Command(judge.Path(t, "cpio", "cpio"), "-i", "-d", "-m", "--quiet"),
	}
}

// TestArchive has others unpack an archive, and reads it again.
func TestArchive(t *testing.T) {
	members := sample()
	b := Archive(members)
	if len(b)%Align != 0 || !bytes.Equal(b, Archive(sample())) {
		t.Errorf("%d bytes, or others than before", len(b))
	}
	read, err := Read(append(bytes.Clone(b), make([]byte, 100)...))
	if err != nil || len(read) != len(members) {
		t.Fatalf("Read = %d members, %v", len(read), err)
	}
	for i, m := range read {
		if m.Name != members[i].Name || m.Mode != members[i].Mode || !bytes.Equal(m.Data, members[i].Data) {
			t.Errorf("member %d is %+v, want %+v", i, m, members[i])
		}
	}
	for name, cmd := range unpackers(t) {
		root := unpacked(t, name, cmd, b)
		for _, m := range members {
			info, err := os.Lstat(filepath.Join(root, m.Name))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if m.Mode&ModeKind != ModeLink && uint32(info.Mode().Perm()) != m.Mode&0o777 || info.IsDir() != (m.Mode&ModeKind == ModeDirectory) {
				t.Errorf("%s: %s has the mode %v, want %o", name, m.Name, info.Mode(), m.Mode)
			}
			if m.Mode&ModeKind == ModeDirectory {
				continue
			}
			got, err := os.ReadFile(filepath.Join(root, m.Name))
			if want := map[bool]string{true: "1", false: string(m.Data)}[m.Mode&ModeKind == ModeLink]; err != nil || string(got) != want {
				t.Errorf("%s: %s is %q, %v; want %q", name, m.Name, got, err, want)
			}
		}
	}
}

func unpacked(t *testing.T, name string, cmd *exec.Cmd, archive []byte) string {
	t.Helper()
	cmd.Dir, cmd.Stdin = t.TempDir(), bytes.NewReader(archive)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return cmd.Dir
}

// memory is a file.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	if end := int(offset) + len(p); end > len(m.b) {
		m.b = append(m.b, make([]byte, end-len(m.b))...)
	}
	return copy(m.b[offset:], p), nil
}

// carried is a carrier behind so many bytes, with a content.
func carried(t testing.TB, behind int, unit int64, content string) (Carrier, []byte) {
	t.Helper()
	var m memory
	c := Carrier{Name: "nix-store.squashfs", Mode: ModeRegular | 0o444, Behind: int64(behind), Unit: unit}
	if _, err := m.WriteAt(bytes.Repeat([]byte{0xab}, behind), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := m.WriteAt([]byte(content), c.Offset()); err != nil {
		t.Fatal(err)
	}
	end, err := c.Finish(&m, int64(len(content)))
	if err != nil || end != int64(len(m.b)) || end%Align != 0 || end != c.Size(int64(len(content))) {
		t.Fatalf("Finish = %d, %v; the file has %d bytes", end, err, len(m.b))
	}
	return c, m.b
}

// TestCarrier puts a content behind others of all lengths, has others unpack it, and finds it.
func TestCarrier(t *testing.T) {
	for _, behind := range []int{0, 1, 4, 3963, 3964, 3965, 4095, 4096, 4097, searched - 133, searched - 132, searched - 1, searched, searched + 4096} {
		for _, content := range []string{"hsqs", "hsqs1", "hsqs" + strings.Repeat("x", 5000)} {
			c, b := carried(t, behind, 4096, content)
			if c.Offset()%4096 != 0 {
				t.Errorf("behind %d bytes the content lies at %d", behind, c.Offset())
			}
			found, err := Find(bytes.NewReader(b), int64(len(b)), c.Name, 4096, []byte("hsqs"), 1<<30)
			if err != nil {
				t.Errorf("behind %d bytes, %d: %v", behind, len(content), err)
				continue
			}
			if got, err := io.ReadAll(found); err != nil || string(got) != content {
				t.Errorf("behind %d bytes %.9q was found, %v", behind, got, err)
			}
		}
	}
	_, b := carried(t, 0, 4096, "hsqs and more")
	for name, cmd := range unpackers(t) {
		// What Linux passes over is not an archive to them.
		root := unpacked(t, name, cmd, bytes.TrimLeft(b, "\x00"))
		if got, err := os.ReadFile(filepath.Join(root, "nix-store.squashfs")); err != nil || string(got) != "hsqs and more" {
			t.Errorf("%s: the content is %q, %v", name, got, err)
		}
	}
}

// TestSize has a file of 4 GiB, which a header cannot say.
func TestSize(t *testing.T) {
	c := Carrier{Name: "store", Unit: 4096}
	var large *SizeError
	if _, err := c.Finish(&memory{}, 1<<32); !errors.As(err, &large) || large.Size != 1<<32 {
		t.Errorf("a file of 4 GiB: %v", err)
	}
	head := appendHeader(nil, "store", ModeRegular, MaxSize, 1)
	if h, err := readHeader(head, 0); err != nil || h.size != 1<<32-1 {
		t.Errorf("a file of a byte less: %+v, %v", h, err)
	}
}

// TestNotFound looks for what is not there, or not so.
func TestNotFound(t *testing.T) {
	c, good := carried(t, 5000, 4096, "hsqs and more")
	at := c.Offset()
	for name, change := range map[string]func(b []byte) []byte{
		"another magic":   func(b []byte) []byte { b[at] = 'x'; return b },
		"another name":    func(b []byte) []byte { b[at-10] = 'x'; return b },
		"a folder":        func(b []byte) []byte { copy(b[at-132+14:], "000041ed"); return b },
		"cut off":         func(b []byte) []byte { return b[:at+5] },
		"cut off earlier": func(b []byte) []byte { return b[:at] },
		"elsewhere":       func(b []byte) []byte { return append([]byte{0, 0, 0, 0}, b...) },
		"empty":           func([]byte) []byte { return nil },
	} {
		b := change(bytes.Clone(good))
		if _, err := Find(bytes.NewReader(b), int64(len(b)), c.Name, 4096, []byte("hsqs"), 1<<30); !errors.Is(err, ErrNotCarried) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Find(bytes.NewReader(good), int64(len(good)), c.Name, 4096, []byte("hsqs"), 0); !errors.Is(err, ErrNotCarried) {
		t.Errorf("nothing is looked through: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(Archive(sample()))
	f.Add(Archive(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		members, err := Read(b)
		if err != nil {
			return
		}
		again, err := Read(Archive(members))
		if err != nil || len(again) != len(members) {
			t.Fatalf("%d members became %d, %v", len(members), len(again), err)
		}
	})
}

func FuzzFind(f *testing.F) {
	_, b := carried(f, 100, 512, "hsqs")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := Find(bytes.NewReader(b), int64(len(b)), "nix-store.squashfs", 512, []byte("hsqs"), 1<<20)
		if err != nil {
			return
		}
		if got, err := io.ReadAll(found); err != nil || !bytes.HasPrefix(got, []byte("hsqs")) {
			t.Fatalf("%.20q was found, %v", got, err)
		}
	})
}
