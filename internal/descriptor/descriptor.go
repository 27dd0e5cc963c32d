// Package descriptor gives open files to another process, through a socket that
// both have: what one may open, the other may then read and write.
//
// It is SCM_RIGHTS of Unix sockets, one descriptor a message (unix(7)).
package descriptor

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Send gives a descriptor to the process at the other end of a socket.
func Send(socket *net.UnixConn, f *os.File) error {
	// One byte, since a message without data may carry none.
	_, _, err := socket.WriteMsgUnix([]byte{0}, unix.UnixRights(int(f.Fd())), nil)
	return err
}

// Refuse says why there is no descriptor: the error of [Receive] at the other end.
func Refuse(socket *net.UnixConn, reason error) error {
	text := reason.Error()
	_, err := socket.Write([]byte(text[:min(len(text), maxReason)]))
	return err
}

// RefusedError is what the other end says instead of giving a descriptor.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// ErrNone means that the other end has closed the socket without giving a
// descriptor or a reason.
var ErrNone = errors.New("no descriptor was given")

// maxReason bounds what may come instead of a descriptor, in bytes.
const maxReason = 4096

// Receive takes a descriptor, which gets a name. The error is a [RefusedError], or
// wraps [ErrNone].
func Receive(socket *net.UnixConn, name string) (*os.File, error) {
	const descriptorSize = 4
	oob, reason := make([]byte, unix.CmsgSpace(descriptorSize)), make([]byte, maxReason)
	// Closed in children: net receives with MSG_CMSG_CLOEXEC.
	n, oobn, _, _, err := socket.ReadMsgUnix(reason, oob)
	switch {
	case err != nil:
		return nil, errors.Join(ErrNone, err)
	case n == 0:
		return nil, ErrNone
	case oobn == 0:
		return nil, &RefusedError{string(reason[:n])}
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("receiving a descriptor: %d messages: %w", len(messages), errors.Join(ErrNone, err))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("receiving a descriptor: %w", errors.Join(ErrNone, err))
	}
	return os.NewFile(uintptr(fds[0]), name), nil
}

// Pair makes two ends of a socket: one to keep, one for a child process.
func Pair() (keep *net.UnixConn, give *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours := os.NewFile(uintptr(fds[0]), "socket")
	defer ours.Close()
	give = os.NewFile(uintptr(fds[1]), "socket")
	keep, err = Conn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, give.Close())
	}
	return keep, give, nil
}

// Conn is the socket that a file leads to.
func Conn(f *os.File) (*net.UnixConn, error) {
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
