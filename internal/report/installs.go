package report

import (
	"fmt"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/human"
)

// Install is a system that a medium installs.
type Install struct {
	Name          string   `json:"name"`
	Configuration string   `json:"configuration"`
	Toplevel      string   `json:"toplevel"`
	Firmware      string   `json:"firmware"` // that starts it: "bios", "uefi" or "any"
	Disks         []string `json:"disks"`    // that it can lay out; empty: it is installed on what is mounted
	// Flake is what the installed system has of its flake: null without.
	Flake *string `json:"flake"`
	// StorePaths and Bytes are what it adds to the medium's store; null before it is built.
	StorePaths *int   `json:"store_paths"`
	Bytes      *int64 `json:"bytes"` // as Nix counts, NAR sizes
}

// AddInstalls adds to a plan what the systems that the medium installs cost.
func (r *Plan) AddInstalls(costs []build.InstallCost) {
	for _, c := range costs {
		i := Install{
			Name: c.Target.Name, Configuration: c.Target.Configuration, Toplevel: c.Target.System, Firmware: c.Target.Firmware, Disks: []string{},
		}
		for _, d := range c.Target.Disks {
			i.Disks = append(i.Disks, d.Name)
		}
		if c.Target.Source != nil {
			i.Flake = &c.Target.Source.Path
		}
		if c.Known {
			i.StorePaths, i.Bytes = &c.StorePaths, &c.Bytes
		}
		r.Installs = append(r.Installs, i)
	}
}

// text is the system in one line.
func (i Install) text() string {
	line := i.Name + ": "
	if i.Bytes == nil {
		line += "its size is known when it is built"
	} else {
		line += fmt.Sprintf("%s more, %s", human.Count(*i.StorePaths, "store path"), human.Size(*i.Bytes))
	}
	if i.Flake != nil {
		line += ", with its flake"
	}
	if len(i.Disks) == 0 {
		line += ", onto what is mounted"
	}
	return line
}
