package device

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// SendFile gives a descriptor to the process at the other end of a socket
// (SCM_RIGHTS, unix(7)).
func SendFile(socket *net.UnixConn, f *os.File) error {
	// One byte, since a message without data may carry none.
	_, _, err := socket.WriteMsgUnix([]byte{0}, unix.UnixRights(int(f.Fd())), nil)
	return err
}

// ErrNoFile means that the other end has closed the socket without giving a
// descriptor or a reason.
var ErrNoFile = errors.New("no descriptor was given")

// maxReason bounds what may come instead of a descriptor: why there is none.
const maxReason = 4096

// ReceiveFile takes a descriptor, which gets a name. If text comes instead, it
// is the error.
func ReceiveFile(socket *net.UnixConn, name string) (*os.File, error) {
	const descriptorSize = 4
	oob, reason := make([]byte, unix.CmsgSpace(descriptorSize)), make([]byte, maxReason)
	n, oobn, _, _, err := socket.ReadMsgUnix(reason, oob)
	switch {
	case err != nil:
		return nil, errors.Join(ErrNoFile, err)
	case n == 0:
		return nil, ErrNoFile
	case oobn == 0:
		return nil, errors.New(string(reason[:n]))
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("receiving a descriptor: %d messages: %w", len(messages), errors.Join(ErrNoFile, err))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("receiving a descriptor: %w", errors.Join(ErrNoFile, err))
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), name), nil
}

// SocketPair makes two ends of a socket: one to keep, one for a child process.
func SocketPair() (keep *net.UnixConn, give *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours := os.NewFile(uintptr(fds[0]), "socket")
	defer ours.Close()
	give = os.NewFile(uintptr(fds[1]), "socket")
	keep, err = UnixConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, give.Close())
	}
	return keep, give, nil
}

// UnixConn is the socket that a descriptor leads to.
func UnixConn(f *os.File) (*net.UnixConn, error) {
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is no Unix socket", f.Name()), c.Close())
	}
	return conn, nil
}
