package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/livebuild/livebuild/internal/device"
)

// Writing a configuration straight to a stick must not run Nix as root. So
// only the opening of the disks does, in a process of its own, which sudo
// starts with a socket as its standard input. It makes the same checks, opens
// the disks, sends the descriptors, and stays until the socket is closed to
// have the kernel read the new partition table, which needs its rights, too.

// openVerb is the hidden verb of that process.
const openVerb = "open-disks"

// passed is a process that has opened disks for this one.
type passed struct {
	cmd    *exec.Cmd
	socket *net.UnixConn
}

// close ends the process and waits for it.
func (p *passed) close() error {
	if p == nil {
		return nil
	}
	return errors.Join(p.socket.Close(), p.cmd.Wait())
}

// elevators run a command as root and leave its standard input alone.
var elevators = []string{"sudo", "doas"}

// passDisks has a process with the rights of root open the disks. Its error is
// a rightsError if there is no such thing.
func (a *app) passDisks(disks []device.Disk) (_ []*device.Device, _ *passed, err error) {
	elevator := ""
	for _, name := range elevators {
		if path, err := exec.LookPath(name); err == nil {
			elevator = path
			break
		}
	}
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	if elevator == "" {
		return nil, nil, &rightsError{path: disks[0].Path}
	}
	keep, give, err := device.SocketPair()
	if err != nil {
		return nil, nil, err
	}
	args := []string{program, openVerb}
	for _, d := range disks {
		arg, err := json.Marshal(d)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, string(arg))
	}
	a.console.line(fmt.Sprintf("opening %s by %s", strings.Join(pathsOf(disks), ", "), elevator))
	p := &passed{exec.Command(elevator, args...), keep}
	p.cmd.Stdin, p.cmd.Stderr = give, os.Stderr
	err = p.cmd.Start()
	give.Close()
	if err != nil {
		return nil, nil, errors.Join(err, keep.Close())
	}
	var devices []*device.Device
	for _, d := range disks {
		f, err := device.ReceiveFile(keep, d.Path)
		if err == nil {
			var dev *device.Device
			if dev, err = device.Opened(d, f); err == nil {
				devices = append(devices, dev)
				continue
			}
			err = errors.Join(err, f.Close())
		}
		ended := p.close()
		if errors.Is(err, device.ErrNoFile) && ended != nil {
			err = ended // sudo has said why
		}
		return nil, nil, errors.Join(&notPassedError{err}, closeDevices(devices))
	}
	return devices, p, nil
}

// notPassedError says that sudo, or what it ran, failed.
type notPassedError struct{ err error }

func (e *notPassedError) Error() string { return "the disks were not opened: " + e.err.Error() }

// toldError is one that somebody else reports.
type toldError struct{ err error }

func (e *toldError) Error() string { return e.err.Error() }

func pathsOf(disks []device.Disk) []string {
	var paths []string
	for _, d := range disks {
		paths = append(paths, d.Path)
	}
	return paths
}

// sendDisks is the other side of passDisks. The disks are opened as if they
// had been chosen here, whoever asks.
func sendDisks(h device.Host, stdin *os.File, args []string) (err error) {
	socket, err := device.UnixConn(stdin)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // the other end says it, with advice
			_, _ = io.WriteString(socket, err.Error())
			err = &toldError{err}
		}
		err = errors.Join(err, socket.Close())
	}()
	var devices []*device.Device
	defer func() { err = errors.Join(err, closeDevices(devices)) }()
	for _, arg := range args {
		var d device.Disk
		if err := json.Unmarshal([]byte(arg), &d); err != nil {
			return &usageError{fmt.Errorf("%s is run by livebuild alone: %w", openVerb, err)}
		}
		dev, err := device.Open(h, d)
		if err != nil {
			return err
		}
		devices = append(devices, dev)
		if err := device.SendFile(socket, dev.File()); err != nil {
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
