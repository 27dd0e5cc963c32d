package device

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Host is where facts about disks come from. Its file systems follow symbolic
// links and can read them, as those of [os.DirFS] and [fstest.MapFS].
type Host struct {
	Sys  fs.FS // sysfs
	Proc fs.FS // procfs
	Run  fs.FS // /run, for udev's database; not all machines have one

	// Number returns the number of the block device at an absolute path.
	Number func(path string) (Number, error)
	// IDs returns the names in /dev/disk/by-id with what they lead to.
	IDs func() map[string]Number
	// Open opens a device to look at its content; nil for not looking.
	Open func(path string) (io.ReaderAt, io.Closer, error)
}

// Local is the machine that this process runs on.
func Local() Host {
	return Host{
		Sys:    os.DirFS("/sys"),
		Proc:   os.DirFS("/proc"),
		Run:    os.DirFS("/run"),
		Number: localNumber,
		IDs:    localIDs,
		Open: func(path string) (io.ReaderAt, io.Closer, error) {
			f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
			return f, f, err
		},
	}
}

func localNumber(path string) (Number, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return Number{}, &MissingError{path}
	}
	if err != nil {
		return Number{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return Number{}, &NotDiskError{path, kindOfFile(st.Mode)}
	}
	return numberOf(st.Rdev), nil
}

// kindOfFile names what stat(2) says.
func kindOfFile(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "a regular file"
	case unix.S_IFDIR:
		return "a folder"
	case unix.S_IFCHR:
		return "a character device"
	}
	return "no block device"
}

// byID is where udev names disks by their serial numbers.
const byID = "/dev/disk/by-id"

func localIDs() map[string]Number {
	ids := map[string]Number{}
	entries, err := os.ReadDir(byID)
	if err != nil { // no udev
		return ids
	}
	for _, e := range entries {
		name := filepath.Join(byID, e.Name())
		if n, err := localNumber(name); err == nil {
			ids[name] = n
		}
	}
	return ids
}

// StableName reports whether a path names a disk by what it is, not by when it
// was plugged in: by its serial number, as udev does in /dev/disk/by-id.
func StableName(p string) bool {
	p = path.Clean(p)
	return path.Dir(p) == byID
}

// majors of block devices that are no disks of their own, and drives of other
// media (Documentation/admin-guide/devices.txt of Linux).
const (
	majorRAM    = 1
	majorFloppy = 2
	majorLoop   = 7
	majorMD     = 9
	majorSR     = 11
)

// Disks lists the whole disks, sticks first, those of the running system last.
// It leaves out what has no medium, optical drives, what is made of other
// disks, and images that are mounted through read-only loop devices.
func (h Host) Disks() ([]Disk, error) {
	entries, err := fs.ReadDir(h.Sys, "block")
	if errors.Is(err, fs.ErrNotExist) { // a sandbox without /sys has no disks
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	look, err := h.look()
	if err != nil {
		return nil, err
	}
	var disks []Disk
	for _, e := range entries {
		disk, err := look.disk(e.Name())
		var not *NotDiskError
		switch {
		case errors.As(err, &not), errors.Is(err, fs.ErrNotExist): // or pulled out meanwhile
			continue
		case err != nil:
			return nil, err
		case disk.Size == 0, disk.Bus == Loop && disk.ReadOnly && len(disk.Uses) > 0:
			continue
		}
		disks = append(disks, disk)
	}
	slices.SortFunc(disks, func(a, b Disk) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(len(a.Name), len(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return disks, nil
}

// rank orders disks by how likely they are meant.
func (d Disk) rank() int {
	switch {
	case d.System():
		return 3
	case d.Bus == Loop:
		return 2
	case d.Stick():
		return 0
	}
	return 1
}

// Find looks at the disk that a path leads to. Its error is a [NotDiskError], a
// [PartitionError], or one about the path.
func (h Host) Find(p string) (Disk, error) {
	n, err := h.Number(p)
	if err != nil {
		return Disk{}, err
	}
	// sysfs-rules: a partition is a folder in that of its disk, and has the
	// attribute "partition".
	target, err := fs.ReadLink(h.Sys, "dev/block/"+n.String())
	if err != nil {
		return Disk{}, &NotDiskError{p, "a device that the kernel does not know"}
	}
	name := path.Base(target)
	if _, err := fs.Stat(h.Sys, "dev/block/"+n.String()+"/partition"); err == nil {
		return Disk{}, &PartitionError{p, devPath(path.Base(path.Dir(target)))}
	}
	look, err := h.look()
	if err != nil {
		return Disk{}, err
	}
	disk, err := look.disk(name)
	var not *NotDiskError
	if errors.As(err, &not) {
		not.Path = p
	}
	return disk, err
}

// devPath is the device node of a kernel name, in which a slash is written as
// an exclamation mark.
func devPath(name string) string { return "/dev/" + strings.ReplaceAll(name, "!", "/") }

// Check refuses a disk that must not be written. The error is an [InUseError],
// a [ReadOnlyError] or a [NoMediumError].
func (d Disk) Check() error {
	switch {
	case d.Size == 0:
		return &NoMediumError{d.Path}
	case len(d.Uses) > 0:
		return &InUseError{d}
	case d.ReadOnly:
		return &ReadOnlyError{d.Path}
	}
	return nil
}

// CheckRights finds out whether this process may open the disk, without
// opening it.
func (d Disk) CheckRights(write bool) error {
	mode := uint32(unix.R_OK)
	if write {
		mode |= unix.W_OK
	}
	if err := unix.Access(d.Path, mode); err != nil {
		return &fs.PathError{Op: "opening", Path: d.Path, Err: err}
	}
	return nil
}

// CheckSize refuses a disk on which an image of so many bytes does not fit,
// with a [TooSmallError].
func (d Disk) CheckSize(need int64) error {
	if need > d.Size {
		return &TooSmallError{d.Path, d.Size, need}
	}
	return nil
}
