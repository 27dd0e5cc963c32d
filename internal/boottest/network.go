package boottest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/qemu"
)

// network gives out what a machine starts from: the folder by HTTP, and by QEMU's TFTP a script that leads
// there.
type network struct {
	tftp string // folder
	stop context.CancelFunc
	done chan error // of the server
}

// leadScript has iPXE go on to a script of a folder, and the kernel speak on the serial port: scripts pass on
// what is in cmdline.
const leadScript = `#!ipxe
set cmdline console=%s,115200n8
dhcp
chain http://%s:%d/%s
`

// newNetwork begins to give out a folder, to this machine alone.
func newNetwork(folder *netboot.Folder, port string) (_ *network, err error) {
	server, err := netboot.NewServer(folder.Path, nil)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &network{stop: stop, done: make(chan error, 1)}
	go func() { n.done <- server.Serve(ctx, l) }()
	if n.tftp, err = os.MkdirTemp("", "livebuild-tftp-"); err != nil {
		return nil, errors.Join(err, n.close())
	}
	text := fmt.Sprintf(leadScript, port, qemu.HostAddress, l.Addr().(*net.TCPAddr).Port, folder.Script)
	if err := os.WriteFile(filepath.Join(n.tftp, qemu.Bootfile), []byte(text), 0o644); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *network) close() error {
	n.stop()
	err := <-n.done
	if n.tftp != "" {
		err = errors.Join(err, os.RemoveAll(n.tftp))
	}
	return err
}
