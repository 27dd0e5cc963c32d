package adapt

import (
	"fmt"
	"io"
	"slices"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/secureboot"
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
func CheckFile(file *imagefile.File, all []stamp.Items, key *Key, tool string) error {
	if file.Plain() == nil || len(all) == 0 {
		return nil
	}
	m, err := medium.ReadAny(file.Plain(), file.FileSize)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path, err)
	}
	for _, items := range all {
		if _, err := stamping(m, file.Path, items, key, tool); err != nil {
			return err
		}
	}
	return nil
}

// Onto stamps a disk that an image was written to, and returns what is stamped.
func Onto(dev *device.Device, items stamp.Items, key *Key, tool string) (*stamp.Stamp, error) {
	m, err := medium.ReadAny(dev, dev.Disk.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dev.Disk.Path, err)
	}
	wanted, err := stamping(m, dev.Disk.Path, items, key, tool)
	if err != nil {
		return nil, err
	}
	if err := replace(dev, wanted); err != nil {
		return nil, err
	}
	return stamp.Decode(wanted[0].Data)
}

// replace stamps a disk. What it starts with is in the area, which comes last. Of what is interrupted the boot
// loader of an image for Secure Boot starts nothing, until it is stamped again.
func replace(dev *device.Device, wanted []stamp.Patch) error {
	for _, p := range slices.Backward(wanted) {
		if err := dev.Replace(p.Offset, p.Data); err != nil {
			return err
		}
	}
	return nil
}

// Stamped returns where a disk is stamped, with the signatures that vouch for that where some have to; nothing
// if it is not, or a signature is of something else.
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
	var chain *secureboot.Chain
	for _, p := range area.Clear() {
		at = append(at, device.Span{Offset: p.Offset, Size: int64(len(p.Data))})
		signature, signed, err := stamp.FindSignature(m, p.Name)
		if err == nil && !signed {
			continue
		}
		if err == nil && chain == nil {
			chain, err = secureboot.ReadChain(m)
		}
		content := io.NewSectionReader(m.ReaderAt(), p.Offset, int64(len(p.Data)))
		if err != nil || chain.GRUB() == nil || chain.GRUB().Key.Check(content, signature.Data) != nil {
			return nil
		}
		at = append(at, device.Span{Offset: signature.Offset, Size: int64(len(signature.Data))})
	}
	return at
}
