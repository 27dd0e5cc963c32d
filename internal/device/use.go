package device

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/magic"
)

// holders finds out what is mounted and what is swap, by the numbers of the
// block devices.
func (h Host) holders() (map[Number][]Use, error) {
	uses := map[Number][]Use{}
	mounts, err := fs.ReadFile(h.Proc, "self/mountinfo")
	if err != nil {
		return nil, err
	}
	for _, m := range parseMountinfo(string(mounts)) {
		u := Use{Kind: Mounted, By: m.point, System: systemPoint(m.point)}
		for _, n := range h.mounted(m) {
			uses[n] = append(uses[n], u)
		}
	}
	swaps, err := fs.ReadFile(h.Proc, "swaps")
	if errors.Is(err, fs.ErrNotExist) { // a kernel without swap
		return uses, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range parseSwaps(string(swaps)) {
		// A file is no block device; its disk is mounted.
		if n, err := h.Number(name); err == nil {
			uses[n] = append(uses[n], Use{Kind: Swap, System: true})
		}
	}
	return uses, nil
}

// mounted are the block devices behind a mount. File systems that may span
// several have a number of their own, with major 0: btrfs lists its devices in
// sysfs, others name them, with colons between, as the source.
func (h Host) mounted(m mount) []Number {
	if m.device.Major != 0 {
		return []Number{m.device}
	}
	var numbers []Number
	add := func(path string) {
		if n, err := h.Number(path); err == nil {
			numbers = append(numbers, n)
		}
	}
	if strings.HasPrefix(m.source, "/") {
		add(m.source)
		if len(numbers) == 0 {
			for _, part := range strings.Split(m.source, ":") {
				add(part)
			}
		}
	}
	if m.fsType != "btrfs" {
		return numbers
	}
	entries, err := fs.ReadDir(h.Sys, "fs/btrfs")
	if err != nil {
		return numbers
	}
	for _, e := range entries {
		var members []Number
		folder := path.Join("fs/btrfs", e.Name(), "devices")
		devices, err := fs.ReadDir(h.Sys, folder)
		if err != nil { // "features" is no file system
			continue
		}
		mine := false
		for _, d := range devices {
			b, err := fs.ReadFile(h.Sys, path.Join(folder, d.Name(), "dev"))
			if err != nil {
				continue
			}
			if n, err := parseNumber(string(b)); err == nil {
				members = append(members, n)
				mine = mine || len(numbers) > 0 && n == numbers[0]
			}
		}
		if mine {
			return members
		}
	}
	return numbers
}

// systemPoint reports whether the running system needs what is mounted there.
// /iso is where a live system of NixOS has the stick that it runs from.
func systemPoint(point string) bool {
	for _, p := range []string{"/boot", "/efi", "/nix", "/usr", "/var", "/etc", "/home", "/iso"} {
		if point == p || strings.HasPrefix(point, p+"/") {
			return true
		}
	}
	return point == "/"
}

// uses are what holds the block device with that folder in sysfs: mounts and
// swap, and block devices above with theirs.
func (l *look) uses(p, folder string, n Number, c magic.Content) []Use {
	var uses []Use
	for _, u := range l.holders[n] {
		u.Path = p
		uses = append(uses, u)
	}
	held := false
	for holder := range l.entries(folder, "holders") {
		held = true
		uses = append(uses, Use{Path: p, Kind: Held, By: l.nameOf(holder), System: l.systemAbove(holder, 0)})
	}
	// ZFS takes its disks without leaving a trace in sysfs, and mounts by
	// the names of its own. What is not at work may be needed again.
	if c.Set != "" && !held && len(uses) == 0 {
		uses = append(uses, Use{Path: p, Kind: Member, By: c.Set})
	}
	return uses
}

// nameOf says what a block device is that holds others.
func (l *look) nameOf(name string) string {
	folder := path.Join("block", name)
	if title := l.attribute(folder, "dm/name"); title != "" {
		kind := "the mapped device"
		switch uuid := l.attribute(folder, "dm/uuid"); {
		case strings.HasPrefix(uuid, "LVM-"):
			kind = "the LVM volume"
		case strings.HasPrefix(uuid, "CRYPT-"):
			kind = "the encrypted volume"
		case strings.HasPrefix(uuid, "mpath-"):
			kind = "the multipath device"
		}
		return kind + " " + title
	}
	if level := l.attribute(folder, "md/level"); level != "" {
		return "the RAID " + devPath(name)
	}
	return devPath(name)
}

// maxDepth bounds how many block devices are stacked; there are no circles,
// but what is read is not one state.
const maxDepth = 16

// systemAbove reports whether the running system needs what is on top of a
// block device: of itself, of its partitions, or of what holds one of them.
func (l *look) systemAbove(name string, depth int) bool {
	if depth > maxDepth {
		return false
	}
	folders, err := l.withPartitions(path.Join("block", name))
	if err != nil { // gone meanwhile
		return false
	}
	for _, folder := range folders {
		if n, err := parseNumber(l.attribute(folder, "dev")); err == nil && slices.ContainsFunc(l.holders[n], systemUse) {
			return true
		}
		for holder := range l.entries(folder, "holders") {
			if l.systemAbove(holder, depth+1) {
				return true
			}
		}
	}
	return false
}

func systemUse(u Use) bool { return u.System }
