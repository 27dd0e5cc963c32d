package report

import (
	"fmt"
	"slices"

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
	// Kit is what small changes of it are built of: null without, as without --install-source rebuild.
	Kit *Kit `json:"kit,omitempty"`
}

// Kit is a part of what an installed system adds.
type Kit struct {
	StorePaths *int   `json:"store_paths"` // null before it is built
	Bytes      *int64 `json:"bytes"`

	roots []string
}

// rows are the roots of the store that have one each in a plan: a kit is told by its size.
func (r *Plan) rows() (roots []string) {
	kit := map[string]bool{}
	for _, i := range r.Installs {
		if i.Kit != nil {
			for _, root := range i.Kit.roots {
				kit[root] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(r.StoreContents), func(root string) bool { return kit[root] })
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
		if len(c.Target.Kit) > 0 {
			i.Kit = &Kit{roots: c.Target.Kit}
		}
		if c.Known {
			i.StorePaths, i.Bytes = &c.StorePaths, &c.Bytes
			if i.Kit != nil {
				i.Kit.StorePaths, i.Kit.Bytes = &c.KitPaths, &c.KitBytes
			}
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
	if i.Kit != nil {
		line += " and what it is rebuilt of"
		if i.Kit.Bytes != nil {
			line += fmt.Sprintf(" (%s, %s)", human.Count(*i.Kit.StorePaths, "store path"), human.Size(*i.Kit.Bytes))
		}
	}
	if len(i.Disks) == 0 {
		line += ", onto what is mounted"
	}
	return line
}
