package disk

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
)

// openVerb is the hidden verb that opens disks for another process.
const openVerb = "open-disks"

// Open is the verb that 'livebuild iso --write' runs by sudo; see passDisks.
func Open(app *face.App) *cobra.Command {
	v := verbs{app}
	return &cobra.Command{
		Use:    openVerb + " DISK...",
		Short:  "Open disks for another process",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return device.Serve(device.Local(), v.In, args)
		},
	}
}

// elevators run a command as root and leave its standard input alone.
var elevators = []string{"sudo", "doas"}

// passDisks has a process with the rights of root open the disks. Its error is
// a rightsError if there is no way to have one.
func (v verbs) passDisks(disks []device.Disk) ([]*device.Device, *device.Broker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range elevators {
		elevator, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		v.Console.Line(fmt.Sprintf("opening %s by %s", strings.Join(pathsOf(disks), ", "), elevator))
		return device.OpenElevated(device.Elevation{Command: []string{elevator, program, openVerb}, Stderr: v.Console.Raw()}, disks)
	}
	return nil, nil, &face.RightsError{Path: disks[0].Path}
}

func pathsOf(disks []device.Disk) []string {
	var paths []string
	for _, d := range disks {
		paths = append(paths, d.Path)
	}
	return paths
}
