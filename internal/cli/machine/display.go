package machine

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/livebuild/livebuild/internal/cli/face"
)

// vncDisplay is what QEMU calls such a display, before its address.
const vncDisplay = "vnc="

const (
	vncBase     = 5900 // the port of display 0 (RFC 6143 §2)
	vncDisplays = 100
)

// display is the value of QEMU's flag of that name.
func display(kind string) (string, error) {
	switch kind {
	case "":
		if os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" {
			return "gtk", nil
		}
		return "none", nil
	case "none", "gtk":
		return kind, nil
	case "vnc":
		for n := range vncDisplays {
			if portIsFree(vncBase + n) {
				return fmt.Sprintf("%s127.0.0.1:%d", vncDisplay, n), nil
			}
		}
		return "", &portError{vncBase}
	}
	return "", face.Usage(fmt.Errorf("--display needs gtk, vnc or none, not %q", kind))
}

// portError says that a port of this machine is taken.
type portError struct{ port int }

func (e *portError) Error() string {
	return fmt.Sprintf("port %d of this machine is taken, or not to be had", e.port)
}

const usualSSHPort = 2222

// sshPort is the port that leads to the guest.
func sshPort(text string) (int, error) {
	if text == anyPort {
		if portIsFree(usualSSHPort) {
			return usualSSHPort, nil
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		return l.Addr().(*net.TCPAddr).Port, l.Close()
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, face.Usage(fmt.Errorf("--ssh needs a port, not %q", text))
	}
	if !portIsFree(int(port)) {
		return 0, &portError{int(port)}
	}
	return int(port), nil
}

func portIsFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	return err == nil && l.Close() == nil
}
