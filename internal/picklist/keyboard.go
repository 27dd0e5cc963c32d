package picklist

import (
	"fmt"
	"os"
)

// keyboard is a terminal that is read from. Bubbletea leaves a goroutine behind that reads from a
// file it was given, and that may take what is typed next, for another question (its reader waits on
// an epoll instance of which the number is used again). So it gets a file of its own, which can be
// closed, and no sight of its name, by which it would know that it may wait itself.
type keyboard struct {
	file *os.File
	fd   uintptr
}

// openKeyboard opens the terminal of a file anew. Where that is not allowed, as behind su, the file
// itself is read.
func openKeyboard(in *os.File) (k keyboard, closeIt func(), err error) {
	fd, err := descriptor(in)
	if err != nil {
		return keyboard{}, nil, err
	}
	again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
	if err != nil {
		return keyboard{in, fd}, func() {}, nil
	}
	if fd, err = descriptor(again); err != nil {
		again.Close()
		return keyboard{}, nil, err
	}
	return keyboard{again, fd}, func() { again.Close() }, nil
}

// descriptor is the number of an open file, which stays as it is: [os.File.Fd] can make reading
// wait for ever.
func descriptor(f *os.File) (fd uintptr, err error) {
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(n uintptr) { fd = n })
	}
	return fd, err
}

func (k keyboard) Read(p []byte) (int, error)  { return k.file.Read(p) }
func (k keyboard) Write(p []byte) (int, error) { return k.file.Write(p) }
func (k keyboard) Close() error                { return nil } // whoever opened it closes it
func (k keyboard) Fd() uintptr                 { return k.fd }
