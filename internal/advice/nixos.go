package advice

import (
	"fmt"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/nixos"
)

// nixosHints are advice on configurations.
var nixosHints = []Row{
	OnValue(missingHint),
	OnValue(func(e *nixos.SeveralConfigurationsError) string {
		return fmt.Sprintf("name one: %s, or --file FILE %s", here(e.Names[0]), human.Quote(e.Names[0]))
	}),
	OnValue(variantHint),
	On[*nixos.NotNixOSError]("a configuration is what nixpkgs.lib.nixosSystem returns"),
	On[*nixos.AssertionError]("change the configuration as the messages say"),
	On[*nixos.NoISOModuleError](`without --no-live livebuild adds it; or import (modulesPath + "/installer/cd-dvd/iso-image.nix") in the configuration`),
	On[*nixos.NotExtensibleError]("make the configuration with nixpkgs.lib.nixosSystem, or have it import all that it needs"),
	On[*nixos.NoStaticError]("another nixpkgs may have it, as pkgs.pkgsStatic; a medium or a network starts the machine without: 'livebuild iso', 'livebuild netboot'"),
	On[*nixos.ContentsError](otherTarget),
	On[*nixos.VolumeIDError]("set isoImage.volumeID, or --volume-id, to a name of its own of at most 32 letters, digits, '.', '_' and '-'"),
	On[*nixos.NameError]("set the option to a name that can be seen, without slashes"),
	On[*nixos.SourceError]("nothing but the Nix store gets onto the medium: write a file as a Nix path, ./FILE, not as text in quotes, and Nix copies it there"),
	On[*nixos.InitrdError]("set boot.initrd.systemd.enable = false, or use NixOS 25.11 or newer"),
	On[*nixos.TwiceError]("name each configuration once"),
	On[*nixos.SameNameError]("have one flake with both, under names of their own: nixosConfigurations.NAME = inputs.FLAKE.nixosConfigurations.NAME"),
	OnValue(conflictHint),
	On[*nixos.ChangeError](Usage),
	OnValue(targetHint),
}

// targetHint says what can be done about a system that cannot be installed.
func targetHint(e *nixos.TargetError) string {
	switch e.Kind {
	case nixos.TargetIsLive:
		return "name the configuration of the system that is to be on the disk; what the medium starts is the argument of 'livebuild iso'"
	case nixos.TargetPlatform:
		return "make a medium for its platform"
	case nixos.TargetKit:
		return "take --install-source flake, with which it evaluates without a network"
	case nixos.TargetFlake:
		return "take --install-source none, or name the configuration of a flake"
	}
	return "give it another name: --install INSTALLABLE --install-as NAME"
}

// otherTarget is advice on two things for one place of the medium.
const otherTarget = "choose another target in isoImage.contents; 'livebuild plan' lists what the medium holds"

// missingHint says what there is instead of a configuration.
func missingHint(e *nixos.NoConfigurationError) string {
	switch {
	case len(e.Names) == 0:
		return "define nixosConfigurations.NAME = nixpkgs.lib.nixosSystem { … } in the flake's outputs"
	case e.Output != "":
		return fmt.Sprintf("%s of a flake are something else: name the configuration, as in %s", e.Output, here(e.Names[0]))
	case e.Near:
		return "did you mean " + human.Quote(e.Names[0]) + "?"
	}
	return "name one that there is, as in " + here(e.Names[0])
}

// here is how a configuration of the flake here is named on a command line.
func here(name string) string {
	if human.Quote(name) == name {
		return ".#" + name // inside of a word, # is no comment
	}
	return human.Quote(".#" + name)
}

func variantHint(e *nixos.NoVariantError) string {
	if len(e.Variants) == 0 {
		return "leave --image-variant out: livebuild adds the ISO module itself"
	}
	return "define image.modules." + e.Variant + " in the configuration, or take --image-variant iso"
}

// conflictHint says how systems come to terms.
func conflictHint(e *nixos.ConflictError) string {
	switch e.Option {
	case "isoImage.squashfsCompression":
		return "they share one store: say how it is compressed, as with --compression zstd:19"
	case "isoImage.volumeID":
		return "take lib.mkForce away from the option: livebuild gives all systems of a medium the volume ID of the first, or that of --volume-id"
	}
	return "set it to one value in both, or make two images; --module FILE can set it for all"
}
