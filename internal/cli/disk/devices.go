package disk

import (
	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/report"
)

// Devices is the verb.
func Devices(app *face.App) *cobra.Command {
	v := verbs{app}
	asJSON := false
	cmd := &cobra.Command{
		Use:   "devices [flags]",
		Short: "List the disks that an image can be written to",
		Long: `List the disks of this machine, sticks first: size, bus, model, serial number,
what is on them and what they are used for. Disks that hold the running system
come last; 'livebuild write' never writes to them.

What is on a disk is read from it where that is allowed, and else what udev
knows.`,
		Example: `  livebuild devices
  livebuild devices --json`,
		Args: face.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			disks, err := device.Local().Disks()
			if err != nil {
				return err
			}
			return v.Print(report.Disks(disks), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	return cmd
}
