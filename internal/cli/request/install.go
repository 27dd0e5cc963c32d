package request

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/nixos"
)

// AboutInstall is the heading of the flags about systems that an image can install.
const AboutInstall = "Systems that the medium installs"

// installs are the flags --install and --install-as, which belongs to the one before it.
type installs struct {
	all    []named
	source string
}

type named struct {
	text, as string
	own      bool // of the flake of the live system, with "#" for it
}

func (o *installs) addFlags(f *pflag.FlagSet) {
	f.Var((*installFlag)(o), "install", "have the medium install `INSTALLABLE` with 'livebuild-install', without a network (repeatable)")
	f.Var((*asFlag)(o), "install-as", "call the system of the --install before it `NAME` on the medium (default: the name of its configuration)")
	f.StringVar(&o.source, "install-source", string(nixos.InstallFlake),
		"what installed systems have of their flake: `WHAT` is none, flake for all that its evaluation needs, or rebuild for what small changes are built of, too")
}

// installFlag and asFlag are the two flags.
type (
	installFlag installs
	asFlag      installs
)

func (o *installFlag) String() string { return "" }
func (o *installFlag) Type() string   { return "installable" }
func (o *installFlag) Set(text string) error {
	o.all = append(o.all, named{text: text})
	return nil
}

func (o *asFlag) String() string { return "" }
func (o *asFlag) Type() string   { return "name" }
func (o *asFlag) Set(text string) error {
	switch {
	case len(o.all) == 0:
		return errors.New("it names the system of an --install before it, and there is none")
	case o.all[len(o.all)-1].as != "":
		return errors.New("the system has a name already")
	case text == "":
		return errors.New("a name is missing")
	}
	o.all[len(o.all)-1].as = text
	return nil
}

// changes adds them to those of a configuration.
func (o *installs) changes(c *nixos.Changes, live installable.Installable) error {
	source := nixos.InstallSource(cmp.Or(o.source, string(nixos.InstallFlake))) // some verbs have no flags for it
	if !slices.Contains(nixos.InstallSources, source) {
		return fmt.Errorf("--install-source: %q is none of none, flake and rebuild", o.source)
	}
	for _, n := range o.all {
		of, err := installable.Parse(n.text)
		if err != nil {
			return fmt.Errorf("--install: %w", err)
		}
		if n.own {
			of.Ref, of.File = live.Ref, live.File
		}
		c.Install = append(c.Install, nixos.Install{Of: of, As: n.as})
	}
	if len(c.Install) > 0 {
		c.InstallSource = source
	}
	return nil
}

// like takes what the flags do not say from the manifest of an image.
func (o *installs) like(was []manifest.Install, source string) error {
	if len(o.all) > 0 || len(was) == 0 {
		return nil
	}
	for _, i := range was {
		if i.Flake == "" && !i.Own {
			return errors.New("it installs " + i.Configuration + " of a flake that only the machine had that made it")
		}
		o.all = append(o.all, named{i.Flake + "#" + i.Configuration, i.Name, i.Own})
	}
	o.source = source
	return nil
}
