package gauge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Limit is a group of processes that have so much memory together, and the page cache of what
// they read and write is part of it (Documentation/admin-guide/cgroup-v2.rst, Memory).
type Limit struct{ folder string }

// Where groups are, by the version of their interface, and the file that has the limit.
var memoryGroups = []struct{ root, file string }{
	{"/sys/fs/cgroup", "memory.max"},
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
}

// LimitMemory makes a group with so many bytes of memory. It needs root.
func LimitMemory(bytes int64) (*Limit, error) {
	var failed error
	for _, g := range memoryGroups {
		// With version 2, children of a group have a limit if it says so.
		control := filepath.Join(g.root, "cgroup.subtree_control")
		if _, err := os.Stat(control); err == nil {
			if err := tellKernel(control, "+memory"); err != nil {
				failed = errors.Join(failed, err)
				continue
			}
		}
		folder := filepath.Join(g.root, fmt.Sprintf("livebuild-bench-%d", os.Getpid()))
		if err := os.Mkdir(folder, 0o755); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if err := tellKernel(filepath.Join(folder, g.file), strconv.FormatInt(bytes, 10)); err != nil {
			failed = errors.Join(failed, err, os.Remove(folder))
			continue
		}
		return &Limit{folder}, nil
	}
	return nil, fmt.Errorf("no group of processes with a limit of memory: %w", failed)
}

// Name is what another process knows the group by, "" for no limit.
func (l *Limit) Name() string {
	if l == nil {
		return ""
	}
	return l.folder
}

// Join puts this process into the group of a name, and so those that it starts.
func Join(name string) error {
	if name == "" {
		return nil
	}
	return tellKernel(filepath.Join(name, "cgroup.procs"), "0")
}

// tellKernel writes to a file that must be there: where groups of version 1 are, version 2 would
// be a folder in memory.
func tellKernel(file, words string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(words)
	return errors.Join(err, f.Close())
}

// Remove removes the group, in which no process is left.
func (l *Limit) Remove() error {
	if l == nil {
		return nil
	}
	if err := os.Remove(l.folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// DropCaches takes out of memory what is on the disks as it is there.
func DropCaches() error {
	const all = "3\n" // page cache, directory entries and inodes: Documentation/admin-guide/sysctl/vm.rst
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte(all), 0)
}

// ParseMemory reads so many MiB or GiB: 512M, 2G.
func ParseMemory(word string) (int64, error) {
	unit := int64(1 << 20)
	number, ok := strings.CutSuffix(word, "M")
	if !ok {
		unit = 1 << 30
		number, ok = strings.CutSuffix(word, "G")
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || n < 1 {
		return 0, fmt.Errorf("%s: memory is given as 512M or 2G", word)
	}
	return n * unit, nil
}
