package device_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/magic"
	"github.com/livebuild/livebuild/internal/testdisk"
)

func find(t testing.TB, path string) device.Disk {
	t.Helper()
	d, err := device.Local().Find(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOpen opens real disks at the wrong moment.
func TestOpen(t *testing.T) {
	t.Parallel()
	host := device.Local()
	t.Run("taken", func(t *testing.T) {
		d := find(t, testdisk.Loop(t, testdisk.Sparse(t, 4*mib)))
		first, err := device.Open(host, d)
		if err != nil {
			t.Fatal(err)
		}
		var used *device.InUseError
		if _, err := device.Open(host, d); !errors.As(err, &used) {
			t.Errorf("a second time: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := device.Open(host, d)
		if err != nil {
			t.Fatalf("after it was closed: %v", err)
		}
		again.Close()
	})
	t.Run("mounted meanwhile", func(t *testing.T) {
		loop := testdisk.Loop(t, fileSystem(t))
		d := find(t, loop)
		mount(t, loop)
		var used *device.InUseError
		if _, err := device.Open(host, d); !errors.As(err, &used) || !strings.Contains(err.Error(), "is mounted at") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("locked", func(t *testing.T) {
		loop := testdisk.Loop(t, testdisk.Sparse(t, 4*mib))
		f, err := os.Open(loop)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH); err != nil { // as udev does
			t.Fatal(err)
		}
		var used *device.InUseError
		if _, err := device.Open(host, find(t, loop)); !errors.As(err, &used) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("another disk", func(t *testing.T) {
		file, other := testdisk.Sparse(t, 4*mib), testdisk.Sparse(t, 4*mib)
		loop := testdisk.Loop(t, file)
		d := find(t, loop)
		testdisk.Detach(t, loop, file)
		judge.Run(t, "mount", "losetup", loop, other)
		t.Cleanup(func() { testdisk.Detach(t, loop, other) })
		var changed *device.ChangedError
		if _, err := device.Open(host, d); !errors.As(err, &changed) {
			t.Errorf("error %v", err)
		}
		if _, err := device.OpenToRead(d); !errors.As(err, &changed) {
			t.Errorf("to read: error %v", err)
		}
	})
	t.Run("a file in its place", func(t *testing.T) {
		d := find(t, testdisk.Loop(t, testdisk.Sparse(t, 4*mib)))
		d.Path = filepath.Join(t.TempDir(), "loop")
		var changed *device.ChangedError
		if _, err := device.Open(host, d); !errors.As(err, &changed) {
			t.Errorf("nothing there: %v", err)
		}
		if _, err := os.Stat(d.Path); err == nil {
			t.Error("opening has made a file")
		}
		if err := os.WriteFile(d.Path, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
		var not *device.NotDiskError
		if _, err := device.Open(host, d); !errors.As(err, &not) {
			t.Errorf("a file there: %v", err)
		}
		if string(read(t, d.Path)) != "precious" {
			t.Error("the file has changed")
		}
	})
	t.Run("read-only", func(t *testing.T) {
		d := find(t, testdisk.Loop(t, testdisk.Sparse(t, 4*mib), "--read-only"))
		var readOnly *device.ReadOnlyError
		if _, err := device.Open(host, d); !errors.As(err, &readOnly) {
			t.Errorf("error %v", err)
		}
	})
}

// fileSystem is a file with an ext4 file system.
func fileSystem(t testing.TB) string {
	t.Helper()
	file := testdisk.Sparse(t, 16*mib)
	judge.Run(t, "e2fsprogs", "mkfs.ext4", "-q", "-L", "my label", file)
	return file
}

func mount(t testing.TB, path string) (point string) {
	t.Helper()
	point = filepath.Join(t.TempDir(), "a point")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "mount", "mount", path, point)
	t.Cleanup(func() { _ = syscall.Unmount(point, syscall.MNT_DETACH) })
	return point
}

func TestUnmount(t *testing.T) {
	loop := testdisk.Loop(t, fileSystem(t))
	first, second := mount(t, loop), mount(t, loop)
	d := find(t, loop)
	if got := d.Mounts(); len(got) != 2 || got[0].By != first || got[1].By != second {
		t.Fatalf("mounts are %+v, want %q and %q", got, first, second)
	}
	now, err := device.Unmount(device.Local(), d)
	if err != nil || now.Check() != nil {
		t.Errorf("unmounting: %v, then %v", err, now.Check())
	}
}

// TestContent has blkid judge what is recognised.
func TestContent(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	squashfs, iso := filepath.Join(folder, "s"), filepath.Join(folder, "i")
	for name, test := range map[string]struct {
		make func(t *testing.T, file string) // in the file
		file string                          // if made otherwise
	}{
		"nothing": {make: func(*testing.T, string) {}},
		"ext4":    {make: func(t *testing.T, f string) { judge.Run(t, "e2fsprogs", "mkfs.ext4", "-q", "-L", "my label", f) }},
		"FAT16":   {make: func(t *testing.T, f string) { judge.Run(t, "dosfstools", "mkfs.vfat", "-F16", "-n", "MYLABEL", f) }},
		"FAT32": {make: func(t *testing.T, f string) {
			judge.Run(t, "dosfstools", "mkfs.vfat", "-F32", "-s1", "-n", "MY LABEL", f)
		}},
		"unnamed": {make: func(t *testing.T, f string) { judge.Run(t, "dosfstools", "mkfs.vfat", "-F16", f) }},
		"swap":    {make: func(t *testing.T, f string) { judge.Run(t, "util-linux", "mkswap", "-L", "myswap", f) }},
		"GPT":     {make: func(t *testing.T, f string) { judge.Run(t, "gdisk", "sgdisk", "--new=1:0:0", f) }},
		"squashfs": {file: squashfs, make: func(t *testing.T, _ string) {
			judge.Run(t, "squashfs-tools", "mksquashfs", filepath.Join(folder, "file"), squashfs)
		}},
		"ISO 9660": {file: iso, make: func(t *testing.T, _ string) {
			judge.Run(t, "xorriso", "xorriso", "-as", "mkisofs", "-V", "MY_VOLUME", "-o", iso, filepath.Join(folder, "file"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			file := test.file
			if file == "" {
				file = testdisk.Sparse(t, 40*mib)
			}
			test.make(t, file)
			got := find(t, testdisk.Loop(t, file)).Content
			tag := func(name string) string {
				cmd := exec.Command(judge.Path(t, "util-linux", "blkid"), "--probe", "--match-tag", name, "--output", "value", file)
				out, err := cmd.Output()
				if err != nil && cmd.ProcessState.ExitCode() != 2 { // nothing found
					t.Fatal(err)
				}
				return strings.TrimSpace(string(out))
			}
			want := magic.Content{Type: tag("TYPE"), Label: tag("LABEL")}
			if want.Type == "" {
				want.Type = tag("PTTYPE")
			}
			if got != want {
				t.Errorf("recognised %+v, blkid says %+v", got, want)
			}
		})
	}
}
