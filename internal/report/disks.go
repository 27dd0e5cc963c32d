package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/persistence"
)

// Disks are those of a machine.
type Disks []device.Disk

// MarshalJSON returns an array of objects.
func (l Disks) MarshalJSON() ([]byte, error) {
	list := []disk{}
	for _, d := range l {
		list = append(list, describeDisk(d))
	}
	return json.Marshal(list)
}

// disk is a disk as --json prints it.
type disk struct {
	Path        string      `json:"path"`
	Size        int64       `json:"size"` // bytes
	SectorSize  int         `json:"sector_size"`
	Bus         string      `json:"bus"`
	Vendor      string      `json:"vendor"`
	Model       string      `json:"model"`
	Serial      string      `json:"serial"`
	IDs         []string    `json:"ids"` // in /dev/disk/by-id
	Removable   bool        `json:"removable"`
	ReadOnly    bool        `json:"read_only"`
	Stick       bool        `json:"stick"`    // removable, on USB or a card; and not large
	System      bool        `json:"system"`   // the running system needs it
	Writable    bool        `json:"writable"` // nothing speaks against writing to it
	Content     string      `json:"content"`  // as blkid names it
	Label       string      `json:"label"`
	Mountpoints []string    `json:"mountpoints"` // of all its parts
	Uses        []string    `json:"uses"`        // why it is not to be written, in words
	Partitions  []partition `json:"partitions"`
}

type partition struct {
	Path    string `json:"path"`
	Offset  int64  `json:"offset"` // bytes
	Size    int64  `json:"size"`   // bytes
	Content string `json:"content"`
	Label   string `json:"label"`
	Name    string `json:"name"` // in the partition table
}

func describeDisk(d device.Disk) disk {
	j := disk{
		Path:        d.Path,
		Size:        d.Size,
		SectorSize:  d.SectorSize,
		Bus:         string(d.Bus),
		Vendor:      d.Vendor,
		Model:       d.Model,
		Serial:      d.Serial,
		IDs:         append([]string{}, d.IDs...),
		Removable:   d.Removable,
		ReadOnly:    d.ReadOnly,
		Stick:       d.Stick(),
		System:      d.System(),
		Writable:    d.Check() == nil,
		Content:     d.Content.Type,
		Label:       d.Content.Label,
		Mountpoints: []string{},
		Uses:        []string{},
		Partitions:  []partition{},
	}
	for _, u := range d.Mounts() {
		j.Mountpoints = append(j.Mountpoints, u.By)
	}
	for _, u := range d.Uses {
		j.Uses = append(j.Uses, u.String())
	}
	for _, p := range d.Partitions {
		j.Partitions = append(j.Partitions, partition{p.Path, p.Offset, p.Size, p.Content.Type, p.Content.Label, p.Label})
	}
	return j
}

// Text writes a table.
func (l Disks) Text(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DISK\tSIZE\tBUS\tMODEL\tSERIAL\tCONTENT\tUSE")
	for _, d := range l {
		fmt.Fprintln(table, strings.Join([]string{d.Path, human.Size(d.Size), string(d.Bus), model(d), d.Serial, Contents(d), usage(d)}, "\t"))
	}
	return table.Flush()
}

// model is what is printed on a disk.
func model(d device.Disk) string { return strings.TrimSpace(d.Vendor + " " + d.Model) }

// Contents is what is on a disk and its partitions.
func Contents(d device.Disk) string {
	var parts []string
	add := func(format, label string) {
		if format != "" {
			parts = append(parts, strings.TrimSpace(format+" "+label))
		}
	}
	add(d.Content.Type, d.Content.Label)
	for _, p := range d.Partitions {
		if p.Label == persistence.Name {
			parts = append(parts, "kept files, "+human.Size(p.Size))
			continue
		}
		add(p.Content.Type, p.Content.Label)
	}
	return strings.Join(parts, ", ")
}

// usage is what a disk is used for.
func usage(d device.Disk) string {
	var parts []string
	if d.System() {
		parts = append(parts, "the running system")
	}
	for _, u := range d.Uses {
		parts = append(parts, u.String())
	}
	if d.ReadOnly {
		parts = append(parts, "read-only")
	}
	return strings.Join(parts, ", ")
}

// Sketch is a disk in a few words.
func Sketch(d device.Disk) string {
	words := []string{human.Size(d.Size)}
	for _, w := range []string{string(d.Bus), model(d)} {
		if w != "" {
			words = append(words, w)
		}
	}
	if d.Serial != "" {
		words = append(words, "serial "+d.Serial)
	}
	return strings.Join(words, ", ")
}
