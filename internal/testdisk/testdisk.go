// Package testdisk makes disks for tests, and tests alone: loop devices on
// sparse files, and on a file that fails, lies or stalls on demand. They need
// root.
package testdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// Sparse makes a file of that many bytes, all zeros, that takes no room.
func Sparse(t testing.TB, size int64) (path string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "disk-")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// Loop makes a loop device of a file, with more arguments for losetup(8), and
// returns its path. It goes away with the test.
func Loop(t testing.TB, file string, args ...string) (path string) {
	t.Helper()
	judge.Root(t)
	args = append([]string{"--find", "--show"}, append(args, file)...)
	path = strings.TrimSpace(judge.Run(t, "mount", "losetup", args...))
	t.Cleanup(func() { Detach(t, path, file) })
	return path
}

// Detach takes the file out of a loop device, if it is in it.
func Detach(t testing.TB, path, file string) {
	backing, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(path), "loop/backing_file"))
	if err != nil || strings.TrimSpace(string(backing)) != file {
		return
	}
	if out, err := exec.Command(judge.Path(t, "mount", "losetup"), "--detach", path).CombinedOutput(); err != nil {
		t.Errorf("losetup --detach %s: %v\n%s", path, err, out)
	}
}

const byID = "/dev/disk/by-id"

var links atomic.Int64

// StableName makes a link in /dev/disk/by-id, as udev makes for disks with a
// serial number, and returns its path. It goes away with the test.
func StableName(t testing.TB, path string) string {
	t.Helper()
	if err := os.MkdirAll(byID, 0o755); err != nil {
		t.Fatal(err)
	}
	const prefix = "livebuild-test-"
	// A test that was killed may have left another name for it.
	old, err := filepath.Glob(filepath.Join(byID, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(name), prefix), "-")
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, fs.ErrNotExist) {
			t.Logf("%s was left: %v", name, os.Remove(name))
		}
	}
	link := filepath.Join(byID, fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), links.Add(1)))
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(link); err != nil {
			t.Error(err)
		}
	})
	return link
}

// Partition makes a partition of a loop device, in sectors of 512 bytes, and
// returns its path. The kernel is told so (BLKPG): it may not be able to read
// partition tables. It goes away with the test.
func Partition(t testing.TB, loop string, number, start, length int) (path string) {
	t.Helper()
	judge.Run(t, "util-linux", "addpart", loop, strconv.Itoa(number), strconv.Itoa(start), strconv.Itoa(length))
	t.Cleanup(func() { judge.Run(t, "util-linux", "delpart", loop, strconv.Itoa(number)) })
	return fmt.Sprintf("%sp%d", loop, number)
}
