package machine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
)

// installOptions are the flags about a system that is installed, and its disks booted.
type installOptions struct {
	name     string
	diskSize string
}

// defaultDisk is large enough for most systems, and takes no more room here than is written.
const defaultDisk = "20G"

func (o *installOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.name, "install", "", "install the system that the image has by this `NAME` on empty disks, without a network, and boot these alone: with BIOS and UEFI, as far as it starts by them")
	f.StringVar(&o.diskSize, "disk-size", defaultDisk, "with --install: give each disk so much room: `SIZE` has a unit as in 20G")
}

// prepare reads what the image says of the system, and has it installed instead of booting the image.
// Without --install it does nothing.
func (o *installOptions) prepare(m *medium.File, t *Boots, systems []boottest.System) error {
	if o.name == "" {
		if o.diskSize != defaultDisk {
			return face.Usage(errors.New("--disk-size is about the disks of --install, which is missing"))
		}
		return nil
	}
	size, err := face.ParseSize(o.diskSize, 'M')
	const least = 64 << 20
	if err != nil || size < least || size%512 != 0 {
		return face.Usage(fmt.Errorf("--disk-size needs a size such as 20G, not %q", o.diskSize))
	}
	target, err := o.find(m)
	if err != nil {
		return err
	}
	if len(target.Disks) == 0 {
		return face.Usage(fmt.Errorf("how %s lays out an empty disk is not known: its configuration has no disko, and other file systems than a root and an EFI system partition with labels", target.Name))
	}
	if t.modes, err = installModes(t.modes, systems[0].Modes, target); err != nil {
		return err
	}
	if len(systems) > 1 && len(t.systems) == 0 {
		t.systems = []string{systems[0].Name}
	}
	i := &boottest.Installation{Name: target.Name, Size: size, Folder: face.CacheFolder()}
	for _, d := range target.Disks {
		i.Disks = append(i.Disks, d.Name)
	}
	t.options.Install, t.network = i, false
	return os.MkdirAll(i.Folder, 0o755)
}

// find reads what the image says of the system.
func (o *installOptions) find(m *medium.File) (none nixos.Target, err error) {
	text, ok, err := m.Files().Text(medium.Catalog)
	switch {
	case err != nil:
		return none, err
	case !ok:
		return none, face.Usage(fmt.Errorf("%s installs nothing: it was made without --install", m.Name))
	}
	targets, err := nixos.ParseCatalog([]byte(text))
	if err != nil {
		return none, err
	}
	var names []string
	for _, t := range targets {
		if t.Name == o.name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return none, face.Usage(fmt.Errorf("%s has no system %q to install; it has %s", m.Name, o.name, strings.Join(names, ", ")))
}

// installModes are the modes to install in: those asked for, else one for each firmware that
// the system starts by.
func installModes(asked, claimed []medium.Mode, t nixos.Target) ([]medium.Mode, error) {
	starts := func(mode medium.Mode) bool {
		return t.Firmware == "any" || (t.Firmware == "uefi") == mode.UEFI()
	}
	if len(asked) > 0 {
		for _, mode := range asked {
			if !starts(mode) {
				return nil, face.Usage(fmt.Errorf("--modes %s: %s starts by %s alone", mode, t.Name, strings.ToUpper(t.Firmware)))
			}
		}
		return asked, nil
	}
	var modes []medium.Mode
	for _, mode := range claimed {
		if starts(mode) && !slices.ContainsFunc(modes, func(m medium.Mode) bool { return m.UEFI() == mode.UEFI() }) {
			modes = append(modes, mode)
		}
	}
	if len(modes) == 0 {
		return nil, face.Usage(fmt.Errorf("%s starts by %s alone, and the image does not", t.Name, strings.ToUpper(t.Firmware)))
	}
	return modes, nil
}
