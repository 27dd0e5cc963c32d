package device

import (
	"fmt"
	"slices"
	"strings"
)

// Choice says which disks are meant.
type Choice struct {
	Paths []string // of devices, or links to them

	// Serials are numbers that the disks must have. Without paths they name the
	// disks.
	Serials []string
}

// Policy says what makes a disk certainly the right one to be written.
type Policy struct {
	// Unmount takes disks that nothing but mounts holds, to be unmounted.
	Unmount bool
	// Unasked is for disks that nobody looks at before they are written: their
	// names must be such that they can be no other disks another time.
	Unasked bool
}

// TwiceError says that two names lead to one disk.
type TwiceError struct{ Path, Other string }

func (e *TwiceError) Error() string { return fmt.Sprintf("%s and %s are one disk", e.Other, e.Path) }

// SerialError says that not one disk has a serial number, but none or several.
type SerialError struct {
	Serial string
	Paths  []string // of those that have it
}

func (e *SerialError) Error() string {
	if len(e.Paths) == 0 {
		return fmt.Sprintf("no disk has the serial number %q", e.Serial)
	}
	return fmt.Sprintf("%s have the serial number %q", strings.Join(e.Paths, " and "), e.Serial)
}

// WrongSerialError says that a disk has none of the serial numbers that it
// could have.
type WrongSerialError struct {
	Path   string
	Serial string
	Wanted []string
}

func (e *WrongSerialError) Error() string {
	return fmt.Sprintf("%s has the serial number %q, not %s", e.Path, e.Serial, strings.Join(e.Wanted, " or "))
}

// UnstableNameError says that a disk is named as another one may be the next
// time.
type UnstableNameError struct{ Disk Disk }

func (e *UnstableNameError) Error() string {
	return e.Disk.Path + " can be another disk the next time"
}

// NotStickError says that a disk does not look like what people write images
// to, and was not named as one that is meant all the same.
type NotStickError struct{ Disk Disk }

func (e *NotStickError) Error() string {
	d := e.Disk
	kind := "a disk"
	if d.Bus != "" {
		kind += " on " + string(d.Bus)
	}
	if model := strings.TrimSpace(d.Vendor + " " + d.Model); model != "" {
		kind += " (" + model + ")"
	}
	if d.Size > largestStick {
		return fmt.Sprintf("%s is no stick, but %s with %d GB", d.Path, kind, d.Size/1_000_000_000)
	}
	return fmt.Sprintf("%s is no stick, but %s that cannot be taken out", d.Path, kind)
}

// Choose finds disks to be written, and refuses those that are not certainly
// right: what must not be written ([Disk.Check]), what is no stick
// ([NotStickError]) and what has no name that stays ([UnstableNameError]), unless a
// serial number or a link in /dev/disk/by-id names it. Further errors are those
// of [Host.FindAll].
func (h Host) Choose(c Choice, p Policy) ([]Disk, error) {
	disks, err := h.FindAll(c)
	if err != nil {
		return nil, err
	}
	for i, d := range disks {
		if err := d.Check(); err != nil && !(p.Unmount && d.onlyMounted()) {
			return nil, err
		}
		stable := d.Serial != "" && slices.Contains(c.Serials, d.Serial) || i < len(c.Paths) && StableName(c.Paths[i])
		switch {
		case stable:
		case p.Unasked:
			return nil, &UnstableNameError{d}
		case !d.Stick():
			return nil, &NotStickError{d}
		}
	}
	return disks, nil
}

// onlyMounted reports whether unmounting the disk makes it one that may be
// written.
func (d Disk) onlyMounted() bool {
	return d.Size > 0 && !d.ReadOnly && !d.System() && len(d.Mounts()) == len(d.Uses)
}

// FindAll finds disks by their paths, or without any by their serial numbers,
// whatever they are used for. Its error is a [TwiceError], a [SerialError], a
// [WrongSerialError], or one of [Host.Find].
func (h Host) FindAll(c Choice) ([]Disk, error) {
	if len(c.Paths) == 0 {
		all, err := h.Disks()
		if err != nil {
			return nil, err
		}
		return bySerial(all, c.Serials)
	}
	var disks []Disk
	for _, p := range c.Paths {
		d, err := h.Find(p)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(disks, func(other Disk) bool { return other.Number == d.Number }); i >= 0 {
			return nil, &TwiceError{p, c.Paths[i]}
		}
		if len(c.Serials) > 0 && !slices.Contains(c.Serials, d.Serial) {
			return nil, &WrongSerialError{p, d.Serial, c.Serials}
		}
		disks = append(disks, d)
	}
	// Each number has to be that of a disk.
	if _, err := bySerial(disks, c.Serials); err != nil {
		return nil, err
	}
	return disks, nil
}

// bySerial returns the one disk for each serial number. None has the empty one.
func bySerial(all []Disk, serials []string) ([]Disk, error) {
	var disks []Disk
	for _, serial := range serials {
		var having []Disk
		var paths []string
		for _, d := range all {
			if d.Serial == serial && serial != "" {
				having = append(having, d)
				paths = append(paths, d.Path)
			}
		}
		if len(having) != 1 {
			return nil, &SerialError{serial, paths}
		}
		disks = append(disks, having[0])
	}
	return disks, nil
}
