package qemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// control is a connection to the monitor of a running QEMU (QEMU Machine Protocol
// Specification, docs/interop/qmp-spec).
type control struct {
	conn    net.Conn
	replies chan reply
	off     chan struct{} // closed when the guest went off

	mu sync.Mutex // one command at a time
	id int
}

// reply is the answer to a command.
type reply struct {
	ID     int             `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
}

// replyLimit is how long a command may take. A busy host makes QEMU slow to answer.
const replyLimit = 30 * time.Second

// QEMU's file descriptors of exec.Cmd.ExtraFiles: its monitor, and what serves its medium.
const servedFD = 4

// controlArgs are the arguments that connect QEMU's monitor to its file descriptor 3.
var controlArgs = []string{"-chardev", "socket,id=control,fd=3", "-mon", "chardev=control,mode=control"}

// newControl returns a connection to a monitor and its other end, for QEMU.
func newControl() (*control, *os.File, error) {
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket for QEMU's monitor: %w", err)
	}
	c := &control{conn: conn, replies: make(chan reply, 1), off: make(chan struct{})}
	go c.read()
	return c, theirs, nil
}

// socketPair returns a connection of this process and its other end, for QEMU.
func socketPair() (net.Conn, *os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	ours, theirs := os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket")
	conn, err := net.FileConn(ours) // which duplicates it
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

func (c *control) close() { c.conn.Close() }

// read sorts what QEMU says until the connection ends.
func (c *control) read() {
	defer close(c.replies)
	var once sync.Once
	for messages := json.NewDecoder(c.conn); ; {
		var message struct {
			reply
			Event string `json:"event"`
		}
		if err := messages.Decode(&message); err != nil {
			return
		}
		switch {
		case message.Event == "SHUTDOWN":
			once.Do(func() { close(c.off) })
		case message.ID != 0:
			c.replies <- message.reply
		}
	}
}

// negotiate leaves the state in which QEMU takes no other command.
func (c *control) negotiate() error { return c.execute("qmp_capabilities", nil, nil) }

// execute runs a command and decodes what it returns into result, unless that is nil.
func (c *control) execute(command string, arguments, result any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id++
	request, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        int    `json:"id"`
	}{command, arguments, c.id})
	if err != nil {
		return err
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(replyLimit)); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if _, err := c.conn.Write(request); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	limit := time.NewTimer(replyLimit)
	defer limit.Stop()
	for {
		select {
		case r, open := <-c.replies:
			switch {
			case !open:
				return fmt.Errorf("%s: %w", command, io.ErrUnexpectedEOF)
			case r.ID != c.id: // late
			case r.Error != nil:
				return fmt.Errorf("%s: %s", command, r.Error.Desc)
			case result == nil:
				return nil
			default:
				return json.Unmarshal(r.Return, result)
			}
		case <-limit.C:
			return fmt.Errorf("%s: %w", command, errNoReply)
		}
	}
}

var errNoReply = errors.New("no reply from QEMU's monitor")
