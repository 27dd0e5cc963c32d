package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Direct I/O needs memory, offsets and lengths that are multiples of the
// disk's sectors (open(2), O_DIRECT). Blocks of this size are for all disks
// that there are; the end of a disk may cut the last one short.
const blockSize = 4096

// errEnd ends reading, as io.ReaderAt has it.
var errEnd = io.EOF

func roundUp(n int64) int64 { return (n + blockSize - 1) / blockSize * blockSize }

// newBuffer returns memory at the beginning of a page, all zeros.
func newBuffer(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("allocating %d bytes: %w", size, err)
	}
	// Pinning a few large pages for each write costs less than a thousand
	// small ones; where there are none, those do.
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	return b, nil
}

func freeBuffer(b []byte) { _ = unix.Munmap(b[:cap(b)]) }

// Tries after a failure, with a pause before each. The kernel has tried, too,
// and has reset the bus; a stick that is only too warm answers a little later.
var retryPauses = []time.Duration{200 * time.Millisecond, time.Second}

// write writes all of p. After failures it goes on in blocks, so that the
// error, an [IOError], names the first one that cannot be written.
func (dev *Device) write(offset int64, p []byte) error {
	return dev.transfer("writing", unix.Pwrite, offset, p)
}

// read fills p.
func (dev *Device) read(offset int64, p []byte) error {
	return dev.transfer("reading", unix.Pread, offset, p)
}

type systemCall func(fd int, p []byte, offset int64) (int, error)

func (dev *Device) transfer(op string, call systemCall, offset int64, p []byte) error {
	done, err := dev.try(call, offset, p, len(p))
	for _, pause := range retryPauses {
		if err == nil || final(err) {
			break
		}
		time.Sleep(pause)
		var n int
		n, err = dev.try(call, offset+int64(done), p[done:], len(p))
		done += n
	}
	if err == nil {
		return nil
	}
	if !final(err) {
		var n int
		n, err = dev.try(call, offset+int64(done), p[done:], blockSize)
		done += n
		if err == nil {
			return nil
		}
	}
	return dev.failed(op, offset+int64(done), err)
}

// try deals with p in pieces of at most step bytes until something fails.
func (dev *Device) try(call systemCall, offset int64, p []byte, step int) (done int, err error) {
	for done < len(p) {
		n, err := call(dev.fd(), p[done:min(done+step, len(p))], offset+int64(done))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return done, err
		case n == 0: // behind the end
			return done, unix.ENXIO
		default:
			done += n
		}
	}
	return done, nil
}

// final reports whether no further try can help.
func final(err error) bool {
	return gone(err) || err == unix.ENOSPC || err == unix.EINVAL || err == unix.EBADF
}

// sync has the disk put all it has taken where it stays.
func (dev *Device) sync() error {
	if err := unix.Fsync(dev.fd()); err != nil {
		return dev.failed("syncing", -1, err)
	}
	return nil
}

// failed says where reading or writing failed. A disk that is pulled out while
// the kernel waits for it fails as a broken one does, with EIO, so sysfs is asked
// whether it is still there.
func (dev *Device) failed(op string, offset int64, err error) *IOError {
	const devices = "/sys/dev/block"
	_, there := os.Stat(filepath.Join(devices, dev.Disk.Number.String()))
	_, mounted := os.Stat(devices)
	return &IOError{op, dev.Disk.Path, offset, err, mounted == nil && errors.Is(there, fs.ErrNotExist)}
}
