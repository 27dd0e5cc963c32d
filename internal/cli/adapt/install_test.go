package adapt

import (
	"errors"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/stamp"
)

// TestCheckInstall has everything refused that livebuild-install would refuse on the machine.
func TestCheckInstall(t *testing.T) {
	disks := func(names ...string) (all []nixos.TargetDisk) {
		for _, name := range names {
			all = append(all, nixos.TargetDisk{Name: name})
		}
		return all
	}
	targets := []nixos.Target{
		{Name: "one", MutableUsers: true, Disks: disks("main")},
		{Name: "two", MutableUsers: false, Disks: disks("a", "b")},
		{Name: "mounted", MutableUsers: true},
	}
	const disk = "/dev/disk/by-id/x"
	for name, test := range map[string]struct {
		targets []nixos.Target
		asked   stamp.Install
		want    string // of the error; empty for none
	}{
		"nothing":              {nil, stamp.Install{}, ""},
		"no catalog":           {nil, stamp.Install{System: "one"}, "medium installs nothing"},
		"another system":       {targets, stamp.Install{System: "three"}, `medium has no system "three" to install; it has one, two, mounted`},
		"asks for the disk":    {targets, stamp.Install{System: "one"}, ""},
		"its only disk":        {targets, stamp.Install{System: "one", Disks: []string{disk}}, ""},
		"by its name":          {targets, stamp.Install{System: "one", Disks: []string{"main=" + disk}, PasswordHash: "$y$"}, ""},
		"another disk":         {targets, stamp.Install{System: "one", Disks: []string{"home=" + disk}}, `has no disk "home"; it has main`},
		"several, none named":  {targets, stamp.Install{System: "two", Disks: []string{disk}}, "of which each is given as NAME=DEVICE: a, b"},
		"several, one missing": {targets, stamp.Install{System: "two", Disks: []string{"a=" + disk}}, `none is given for "b"`},
		"several":              {targets, stamp.Install{System: "two", Disks: []string{"b=" + disk, "a=" + disk + "y"}}, ""},
		"a password":           {targets, stamp.Install{System: "two", PasswordHash: "$y$"}, "users.mutableUsers"},
		"no layout":            {targets, stamp.Install{System: "mounted"}, "cannot install mounted without a person"},
	} {
		err := CheckInstall("medium", test.targets, test.asked)
		var refused *InstallError
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) || refused.Made != (len(test.targets) > 0)):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
