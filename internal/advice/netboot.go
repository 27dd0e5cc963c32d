package advice

import (
	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/pkg/cpio"
)

// netbootHints are advice on what machines are started from over the network.
var netbootHints = []Row{
	On[*netboot.ScriptError]("take it out of boot.kernelParams, or the --kernel-param, or write the script by hand"),
	On[*netboot.FolderError]("'livebuild netboot INSTALLABLE -o FOLDER' makes one; a file named *.ipxe in it is a script of yours"),
	On[*kexec.NameError]("name it .tar.gz, .tar.zst or .tar, all of which nixos-anywhere unpacks"),
	On[*kexec.HeaderError]("make or copy the archive again; 'sha256sum' tells whether a copy is the same"),
	On[*cpio.SizeError]("a stronger --compression, or a smaller system; an image of a medium has no such limit: 'livebuild iso'"),
}
