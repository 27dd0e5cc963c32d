// Package gauge is what the kernel counts of a run that is measured, and limits it to.
package gauge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// DiskUse is what was done to a file system in a while.
type DiskUse struct {
	Written int64 // bytes that its device was given to write; 0 if it has no device that counts
	Peak    int64 // bytes that were in use at most, beside those that were before
}

// sampled is how often a file system is asked how full it is.
const sampled = 10 * time.Millisecond

// OnDisk runs something and returns what it did to the file system of a folder, by the kernel's
// count (Documentation/block/stat.rst) after all is on the disk. Nobody else may write there.
func OnDisk(folder string, run func() error) (use DiskUse, err error) {
	before, err := writtenTo(folder)
	if err != nil {
		return use, err
	}
	used, err := inUse(folder)
	if err != nil {
		return use, err
	}
	stop, peaks := make(chan bool), make(chan int64)
	go func() {
		most := used
		tick := time.NewTicker(sampled)
		defer tick.Stop()
		for {
			if now, err := inUse(folder); err == nil {
				most = max(most, now)
			}
			select {
			case <-tick.C:
			case <-stop:
				peaks <- most
				return
			}
		}
	}()
	err = run()
	close(stop)
	use.Peak = <-peaks - used
	if err != nil {
		return use, err
	}
	after, err := writtenTo(folder)
	use.Written = after - before
	return use, err
}

// inUse is how many bytes of a file system are taken.
func inUse(folder string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return 0, fmt.Errorf("%s: %w", folder, err)
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize, nil
}

// writtenTo writes a file system out and returns how many bytes its device was given since it is
// there, 0 if it has none.
func writtenTo(folder string) (int64, error) {
	f, err := os.Open(folder)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return 0, fmt.Errorf("%s: %w", folder, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(filepath.Join("/sys/dev/block", fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)), "stat"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 7 {
		return 0, fmt.Errorf("/sys/dev/block: stat is %q", text)
	}
	sectors, err := strconv.ParseInt(fields[6], 10, 64)
	return sectors * 512, err
}
