package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// blkGetDiskSeq asks for Disk.Sequence: _IOR(0x12, 128, __u64), linux/fs.h.
const blkGetDiskSeq = 0x80081280

// cdromEject is CDROMEJECT, linux/cdrom.h, which disks understand, too.
const cdromEject = 0x5309

// Device is a disk that this process reads or writes past the page cache.
type Device struct {
	Disk Disk
	file *os.File
}

// Open takes a disk for this process alone, to write it. It looks at the disk
// again and refuses one that has changed since ([ChangedError]) or that
// something holds ([InUseError]). Until Close nobody can mount it, and udev
// leaves it alone.
func Open(h Host, d Disk) (*Device, error) {
	if err := recheck(h, d); err != nil {
		return nil, err
	}
	// No O_CREAT: what is not there must not become a file under /dev.
	// O_EXCL without it asks for a block device that nobody has (open(2)).
	f, err := openDirect(d, os.O_RDWR|unix.O_EXCL)
	var used *InUseError
	for deadline := time.Now().Add(claimPatience); errors.As(err, &used) && time.Now().Before(deadline); {
		time.Sleep(lockInterval)
		f, err = openDirect(d, os.O_RDWR|unix.O_EXCL)
	}
	if err != nil {
		return nil, err
	}
	dev, err := Opened(d, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return dev, nil
}

// OpenToRead opens a disk to read it, whoever else uses it.
func OpenToRead(d Disk) (*Device, error) {
	f, err := openDirect(d, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	dev := &Device{d, f}
	if err := dev.checkIdentity(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return dev, nil
}

// recheck refuses a disk that is not what it was, or must not be written now.
func recheck(h Host, d Disk) error {
	now, err := h.Find(d.Path)
	var missing *MissingError
	if errors.As(err, &missing) || errors.Is(err, fs.ErrNotExist) {
		return &ChangedError{d.Path}
	}
	if err != nil {
		return err
	}
	if !now.same(d) {
		return &ChangedError{d.Path}
	}
	return now.Check()
}

func openDirect(d Disk, flags int) (*os.File, error) {
	fd, err := unix.Open(d.Path, flags|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		return os.NewFile(uintptr(fd), d.Path), nil
	case errors.Is(err, unix.EBUSY):
		return nil, &InUseError{d}
	case errors.Is(err, unix.EROFS):
		return nil, &ReadOnlyError{d.Path}
	case errors.Is(err, unix.ENOMEDIUM):
		return nil, &NoMediumError{d.Path}
	}
	return nil, &fs.PathError{Op: "opening", Path: d.Path, Err: err}
}

// Opened makes a device of a descriptor that another process has opened as Open
// does, because this one may not. It checks what the descriptor leads to.
func Opened(d Disk, f *os.File) (*Device, error) {
	dev := &Device{d, f}
	if err := dev.checkIdentity(); err != nil {
		return nil, err
	}
	readOnly, err := unix.IoctlGetInt(dev.fd(), unix.BLKROGET)
	if err != nil {
		return nil, &fs.PathError{Op: "asking", Path: d.Path, Err: err}
	}
	if readOnly != 0 {
		return nil, &ReadOnlyError{d.Path}
	}
	if err := dev.lock(); err != nil {
		return nil, err
	}
	return dev, nil
}

// checkIdentity compares what is open with what was looked at: between the two
// the disk can have been pulled out, and another one can have got its name.
func (dev *Device) checkIdentity() error {
	var st unix.Stat_t
	if err := unix.Fstat(dev.fd(), &st); err != nil {
		return &fs.PathError{Op: "stat", Path: dev.Disk.Path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return &NotDiskError{dev.Disk.Path, kindOfFile(st.Mode)}
	}
	size, err := ioctlUint64(dev.fd(), unix.BLKGETSIZE64)
	if err != nil {
		return &fs.PathError{Op: "asking", Path: dev.Disk.Path, Err: err}
	}
	if numberOf(st.Rdev) != dev.Disk.Number || size != uint64(dev.Disk.Size) {
		return &ChangedError{dev.Disk.Path}
	}
	// Kernels before 5.15 do not count.
	if sequence, err := ioctlUint64(dev.fd(), blkGetDiskSeq); err == nil && dev.Disk.Sequence != 0 && sequence != dev.Disk.Sequence {
		return &ChangedError{dev.Disk.Path}
	}
	return nil
}

func ioctlUint64(fd int, request uint) (v uint64, err error) {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(&v)))
	if errno != 0 {
		return 0, errno
	}
	return v, nil
}

const (
	// claimPatience is how long somebody unknown may have a disk before it
	// counts as in use: losetup(8) claims loop devices for a moment to find
	// out whether they are free.
	claimPatience = 2 * time.Second

	// lockPatience is how long udev may look at one.
	lockPatience = 10 * time.Second
	lockInterval = 50 * time.Millisecond
)

// lock keeps udev, which honours such locks, from looking at a half written
// disk (systemd.io/BLOCK_DEVICE_LOCKING).
func (dev *Device) lock() error {
	deadline := time.Now().Add(lockPatience)
	for {
		err := unix.Flock(dev.fd(), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			return &fs.PathError{Op: "locking", Path: dev.Disk.Path, Err: err}
		case time.Now().After(deadline):
			return &InUseError{dev.Disk}
		default:
			time.Sleep(lockInterval)
		}
	}
}

func (dev *Device) fd() int { return int(dev.file.Fd()) }

// Close gives the disk back.
func (dev *Device) Close() error { return dev.file.Close() }

// CloseAll closes several devices.
func CloseAll(devices []*Device) error {
	var err error
	for _, dev := range devices {
		err = errors.Join(err, dev.Close())
	}
	return err
}

// Reread has the kernel read the partition table again. It is of no harm if
// that fails: a loop device may have no partitions, and udev does it, too.
func (dev *Device) Reread() { _ = unix.IoctlSetInt(dev.fd(), unix.BLKRRPART, 0) }

// Eject makes a stick ready to be pulled out.
func (dev *Device) Eject() error {
	if err := unix.IoctlSetInt(dev.fd(), cdromEject, 0); err != nil {
		return fmt.Errorf("ejecting %s: %w", dev.Disk.Path, err)
	}
	return nil
}

// ReadAt reads past the page cache, at any offset.
func (dev *Device) ReadAt(p []byte, offset int64) (int, error) {
	start := offset - offset%blockSize
	end := min(roundUp(offset+int64(len(p))), dev.Disk.Size)
	if offset >= end {
		return 0, errEnd
	}
	buffer, err := newBuffer(int(end - start))
	if err != nil {
		return 0, err
	}
	defer freeBuffer(buffer)
	if err := dev.read(start, buffer); err != nil {
		return 0, err
	}
	n := copy(p, buffer[offset-start:])
	if n < len(p) {
		return n, errEnd
	}
	return n, nil
}
