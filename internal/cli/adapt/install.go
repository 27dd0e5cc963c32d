package adapt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/stamp"
)

// InstallError says that a medium cannot install what is stamped onto it.
type InstallError struct {
	Image  string // its name
	Reason string
	Made   bool // the medium installs systems
}

func (e *InstallError) Error() string { return e.Image + " " + e.Reason }

// checkCatalog finds out whether an image, called name in errors, installs what it is asked for. The
// error is an *InstallError.
func checkCatalog(m *medium.Medium, name string, asked stamp.Install) error {
	if asked.System == "" {
		return nil
	}
	text, ok, err := m.Files().Text(medium.Catalog)
	if err != nil {
		return err
	}
	var targets []nixos.Target
	if ok {
		if targets, err = nixos.ParseCatalog([]byte(text)); err != nil {
			return err
		}
	}
	return CheckInstall(name, targets, asked)
}

// CheckInstall finds out whether a medium with these systems, called name in errors, installs what
// it is asked for without a person: livebuild-install would refuse it later, on a machine that may have no screen. The
// error is an *InstallError.
func CheckInstall(name string, targets []nixos.Target, asked stamp.Install) error {
	if asked.System == "" {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return &InstallError{Image: name, Reason: fmt.Sprintf(format, args...), Made: len(targets) > 0}
	}
	if len(targets) == 0 {
		return refuse("installs nothing: it is made without --install")
	}
	at := slices.IndexFunc(targets, func(t nixos.Target) bool { return t.Name == asked.System })
	if at < 0 {
		var names []string
		for _, t := range targets {
			names = append(names, t.Name)
		}
		return refuse("has no system %q to install; it has %s", asked.System, strings.Join(names, ", "))
	}
	target := targets[at]
	if len(target.Disks) == 0 {
		return refuse("cannot install %s without a person: how to lay out its disks is not known", target.Name)
	}
	if asked.PasswordHash != "" && !target.MutableUsers {
		return refuse("cannot give root of %s a password: its users are those of its configuration alone, by users.mutableUsers", target.Name)
	}
	var names []string
	for _, d := range target.Disks {
		names = append(names, d.Name)
	}
	given := map[string]bool{}
	for _, text := range asked.Disks {
		disk, _ := asked.Disk(text)
		switch {
		case disk == "" && len(names) > 1:
			return refuse("installs %s on several disks, of which each is given as NAME=DEVICE: %s", target.Name, strings.Join(names, ", "))
		case disk == "":
			disk = names[0]
		case !slices.Contains(names, disk):
			return refuse("installs %s, which has no disk %q; it has %s", target.Name, disk, strings.Join(names, ", "))
		}
		given[disk] = true
	}
	for _, disk := range names {
		if len(given) > 0 && !given[disk] {
			return refuse("installs %s on several disks, and none is given for %q", target.Name, disk)
		}
	}
	return nil
}
