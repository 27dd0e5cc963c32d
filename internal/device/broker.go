package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"

	"github.com/livebuild/livebuild/internal/descriptor"
)

// Who writes a configuration straight to a stick must not run Nix as root. So
// only the opening of the disks is done with the rights for it, in a process of
// its own, which has a socket as its standard input. It makes the same checks, opens
// the disks, sends the descriptors, and stays until the socket is closed to
// have the kernel read the new partition table, which needs its rights, too.

// Elevation is a command that runs [Serve] with the rights to open disks: that
// of sudo(8) or its like, which leaves standard input alone. The disks are added
// to it as arguments.
type Elevation struct {
	Command []string
	Stderr  io.Writer // for what it asks or complains
}

// Broker is a process that has opened disks for this one.
type Broker struct {
	cmd    *exec.Cmd
	socket *net.UnixConn
}

// NotOpenedError says that a broker, or what was to start it, failed.
type NotOpenedError struct{ Err error }

func (e *NotOpenedError) Error() string { return "the disks were not opened: " + e.Err.Error() }
func (e *NotOpenedError) Unwrap() error { return e.Err }

// OpenElevated has a broker open all of the disks, to be written, or none. The
// devices are as [Open] returns them; the broker is to be closed after them.
func OpenElevated(e Elevation, disks []Disk) ([]*Device, *Broker, error) {
	command := e.Command
	for _, d := range disks {
		arg, err := json.Marshal(d)
		if err != nil {
			return nil, nil, err
		}
		command = append(command[:len(command):len(command)], string(arg))
	}
	keep, give, err := descriptor.Pair()
	if err != nil {
		return nil, nil, err
	}
	b := &Broker{exec.Command(command[0], command[1:]...), keep}
	b.cmd.Stdin, b.cmd.Stderr = give, e.Stderr
	err = errors.Join(b.cmd.Start(), give.Close())
	if err != nil {
		return nil, nil, &NotOpenedError{errors.Join(err, keep.Close())}
	}
	devices, err := b.receive(disks)
	if err == nil {
		return devices, b, nil
	}
	if ended := b.Close(); errors.Is(err, descriptor.ErrNone) && ended != nil {
		err = ended // the command has said why
	}
	return nil, nil, &NotOpenedError{errors.Join(err, CloseAll(devices))}
}

// receive takes the disks. Those that came before an error are returned, too.
func (b *Broker) receive(disks []Disk) (devices []*Device, err error) {
	for _, d := range disks {
		f, err := descriptor.Receive(b.socket, d.Path)
		if err != nil {
			return devices, err
		}
		dev, err := Opened(d, f)
		if err != nil {
			return devices, errors.Join(err, f.Close())
		}
		devices = append(devices, dev)
	}
	return devices, nil
}

// Close ends the process and waits for it. A nil Broker is none.
func (b *Broker) Close() error {
	if b == nil {
		return nil
	}
	return errors.Join(b.socket.Close(), b.cmd.Wait())
}

// ToldError is one that the process at the other end of the socket reports.
type ToldError struct{ Err error }

func (e *ToldError) Error() string { return e.Err.Error() }
func (e *ToldError) Unwrap() error { return e.Err }

// Serve is the broker's side of [OpenElevated]: it opens the disks as if they had
// been chosen here, whoever asks. Its error is a [ToldError], unless there is no
// socket.
func Serve(h Host, stdin *os.File, disks []string) (err error) {
	socket, err := descriptor.Conn(stdin)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // the other end says it, with advice; if it has gone, nobody asks
			_ = descriptor.Refuse(socket, err)
			err = &ToldError{err}
		}
		err = errors.Join(err, socket.Close())
	}()
	var devices []*Device
	defer func() { err = errors.Join(err, CloseAll(devices)) }()
	for _, arg := range disks {
		var d Disk
		if err := json.Unmarshal([]byte(arg), &d); err != nil {
			return fmt.Errorf("%q is no disk: %w", arg, err)
		}
		dev, err := Open(h, d)
		if err != nil {
			return err
		}
		devices = append(devices, dev)
		if err := descriptor.Send(socket, dev.file); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, socket); err != nil {
		return err
	}
	for _, dev := range devices {
		dev.Reread()
	}
	return nil
}
