package adapt

import (
	"fmt"
	"slices"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/stamp"
)

// ForDisks are the items of each of several disks, or nil without values.
func (v *Values) ForDisks(disks []device.Disk) (all []stamp.Items, err error) {
	if v == nil {
		return nil, nil
	}
	for i, d := range disks {
		items, err := v.For(Target{Number: i + 1, Serial: d.Serial})
		if err != nil {
			return nil, err
		}
		all = append(all, items)
	}
	return all, nil
}

// CheckFile finds out early, if the file of an image tells, whether what it is written to can
// be stamped.
func CheckFile(file *imagefile.File, all []stamp.Items, tool string) error {
	if file.Plain() == nil || len(all) == 0 {
		return nil
	}
	m, err := medium.ReadAny(file.Plain(), file.FileSize)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path, err)
	}
	area, err := stamp.Find(m, file.Path)
	if err != nil {
		return err
	}
	for _, items := range all {
		if _, err := patches(m, area, items, tool); err != nil {
			return err
		}
	}
	return nil
}

// Onto stamps a disk that an image was written to, and returns what is stamped.
func Onto(dev *device.Device, items stamp.Items, tool string) (*stamp.Stamp, error) {
	m, err := medium.ReadAny(dev, dev.Disk.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dev.Disk.Path, err)
	}
	area, err := stamp.Find(m, dev.Disk.Path)
	if err != nil {
		return nil, err
	}
	wanted, err := patches(m, area, items, tool)
	if err != nil {
		return nil, err
	}
	if err := replace(dev, wanted); err != nil {
		return nil, err
	}
	return stamp.Decode(wanted[0].Data)
}

// replace stamps a disk. What it starts with is in the area, which comes last.
func replace(dev *device.Device, wanted []stamp.Patch) error {
	for _, p := range slices.Backward(wanted) {
		if err := dev.Replace(p.Offset, p.Data); err != nil {
			return err
		}
	}
	return nil
}

// Stamped returns where a disk is stamped, or nothing if it is not.
func Stamped(dev *device.Device) (at []device.Span) {
	m, err := medium.ReadAny(dev, dev.Disk.Size)
	if err != nil {
		return at
	}
	area, err := stamp.Find(m, dev.Disk.Path)
	if err != nil {
		return at
	}
	if s, err := area.Read(); s == nil || err != nil {
		return at
	}
	for _, p := range area.Clear() {
		at = append(at, device.Span{Offset: p.Offset, Size: int64(len(p.Data))})
	}
	return at
}
