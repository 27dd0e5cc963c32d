package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/qemu"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// report prints an error, and what can be done about it.
func (c *console) report(err error) {
	m := message{kind: messageError, text: err.Error(), hint: hintFor(err)}
	var build *nix.BuildError
	if errors.As(err, &build) {
		m.log = build.Log
	}
	if c.verbose {
		m.detail = detailOf(err)
	}
	c.say(m)
}

// detailOf is all that Nix said about an error.
func detailOf(err error) string {
	var failed *nix.Error
	if errors.As(err, &failed) {
		return failed.Detail
	}
	var build *nix.BuildError
	if errors.As(err, &build) {
		return build.Detail
	}
	return ""
}

// hintFor is the advice on an error. All advice is in this file and in those
// whose names begin like it.
func hintFor(err error) string {
	var (
		missing     *nixos.NoSuchConfiguration
		several     *nixos.SeveralConfigurations
		variant     *nixos.NoVariantError
		unmountable *image.UnmountableError
		mode        *image.ModeError
		firmware    *qemu.FirmwareError
		tooSmall    *qemu.FirmwareMemoryError
		outside     *storefs.OutsideError
		host        *qemu.HostError
		notBooted   *notBootedError
		platform    *nix.PlatformError
		build       *nix.BuildError
		failed      *nix.Error
	)
	switch {
	case is[*nix.InstallableError](err):
		return "an installable is a flake reference and a name: .#exampleIso, github:owner/repo#exampleIso"
	case is[*codec.UnsupportedError](err):
		return "another compression works: zstd:19 comes near xz in size"
	case is[*codec.SettingsError](err):
		return "compressions are none, lz4, gzip, zstd and xz, with a level as in zstd:19, or mksquashfs' words as in \"zstd -Xcompression-level 19\""
	case is[*image.EpochError](err):
		return "unset SOURCE_DATE_EPOCH, or set it to what 'date +%s' prints"
	case is[*streamError](err):
		return "-o FILE writes a file, which can go through a pipe then; -o ./- writes one of that name"
	case is[*usageError](err):
		return "'livebuild --help' lists verbs, 'livebuild VERB --help' their flags"
	case errors.Is(err, nix.ErrNotFound):
		return "install Nix (nixos.org/download), or add it to the PATH: /nix/var/nix/profiles/default/bin, or /run/current-system/sw/bin on NixOS"
	case is[*nix.TooOldError](err):
		return "install a newer Nix"
	case is[*nix.ArgumentsError](err):
		return "a flag of Nix, or the environment, is too long: Linux takes 128 KiB in one argument and 2 MiB in all; put settings into nix.conf"
	case is[*nix.RemoteStoreError](err):
		return "--store names a store that builds: this machine's, a folder, or ssh-ng://HOST; downloads come from --substituters"
	case errors.As(err, &missing):
		return missingHint(missing)
	case errors.As(err, &several):
		return fmt.Sprintf("name one: %s, or --file FILE %s", installable(several.Names[0]), quote(several.Names[0]))
	case errors.As(err, &variant):
		return variantHint(variant)
	case is[*nixos.NotNixOS](err):
		return "a configuration is what nixpkgs.lib.nixosSystem returns"
	case is[*nixos.AssertionError](err):
		return "change the configuration as the messages say"
	case is[*nixos.NoISOModule](err):
		return `without --no-live livebuild adds it; or import (modulesPath + "/installer/cd-dvd/iso-image.nix") in the configuration`
	case is[*nixos.NotExtensible](err):
		return "make the configuration with nixpkgs.lib.nixosSystem, or have it import all that it needs"
	case is[*nixos.ContentsError](err), is[*boot.TargetError](err), is[*boot.CollisionError](err):
		return "choose another target in isoImage.contents; 'livebuild plan' lists what the medium holds"
	case is[*nixos.VolumeIDError](err):
		return "set isoImage.volumeID, or --volume-id, to a name of its own of at most 32 letters, digits, '.', '_' and '-'"
	case is[*nixos.NameError](err):
		return "set the option to a name that can be seen, without slashes"
	case is[*nixos.InitrdError](err):
		return "set boot.initrd.systemd.enable = false, or use NixOS 25.11 or newer"
	case errors.Is(err, boot.ErrNoEntries):
		return "set isoImage.showConfiguration = true for one of them"
	case is[*boot.CommandLineError](err):
		return "shorten boot.kernelParams or --kernel-param: the kernel does not see the rest, and what is longer can be in a file of the system"
	case is[*boot.TextError](err):
		return "take the character out of the configuration's labels and kernel parameters; without isoImage.makeBiosBootable, labels may have any"
	case is[*boot.MissingFileError](err):
		return "the package was built, but does not hold the file: check the option that names it, and overlays that replace the package"
	case is[*nixos.SourceError](err):
		return "nothing but the Nix store gets onto the medium: write a file as a Nix path, ./FILE, not as text in quotes, and Nix copies it there"
	case errors.As(err, &outside) && outside.InStore:
		return "let the option refer to the package itself, as in \"${pkgs.hello}/share\": Nix does not see what is named by text alone"
	case errors.As(err, &outside):
		return "have the package hold a copy instead of the link: nothing but the Nix store gets onto the medium"
	case is[*image.OccupiedError](err):
		return "--force replaces it, -o FILE writes elsewhere"
	case is[*image.PlaceError](err):
		return "-o FILE writes elsewhere; --write DEVICE writes to a stick"
	case errors.As(err, &unmountable) && len(unmountable.Readable) > 0:
		return "choose a compression that it can read (" + strings.Join(unmountable.Readable, ", ") + "), or turn the options on in boot.kernelPatches"
	case errors.As(err, &unmountable):
		return "turn the options on in boot.kernelPatches: without them no live system starts"
	case is[*squashfs.ChangedError](err):
		return "store paths do not change: check the store with 'nix-store --verify --check-contents'"
	case errors.As(err, &notBooted):
		return notBootedHint(notBooted)
	case is[*boottest.UnheardError](err):
		return unheardHint
	case is[*image.ForeignError](err):
		return "an image is an .iso file, compressed or not, or a disc or stick that one was copied to"
	case errors.As(err, &mode):
		return "it starts as " + strings.Join(modeNames(mode.Modes), ", ")
	case is[*qemu.ProgramError](err):
		return "install QEMU (Debian: qemu-system-x86 or qemu-system-arm; Fedora, Arch: qemu; or run 'nix shell nixpkgs#qemu' first)"
	case errors.As(err, &firmware) && firmware.Bits32:
		return "install UEFI firmware of 32 bits (Debian: ovmf-ia32; Fedora: edk2-ovmf-ia32; Arch: edk2-ovmf)"
	case errors.As(err, &firmware):
		return "install UEFI firmware (Debian: ovmf or qemu-efi-aarch64; Fedora: edk2-ovmf or edk2-aarch64; Arch: edk2-ovmf or edk2-aarch64)"
	case is[*qemu.MemoryError](err):
		return "give the guest less memory with --memory, or free some"
	case errors.As(err, &tooSmall):
		return fmt.Sprintf("--memory %d, or more", tooSmall.NeededMiB)
	case is[*portError](err):
		return "choose another port, or end what uses this one"
	case errors.As(err, &host):
		return hostHint(host)
	case errors.As(err, &platform):
		return platformHint(platform)
	case errors.As(err, &build):
		return buildHint(build)
	case errors.As(err, &failed):
		return evaluationHint(failed)
	}
	if hint := diskHint(err); hint != "" {
		return hint
	}
	if hint := imageFileHint(err); hint != "" {
		return hint
	}
	return systemHint(err)
}

// missingHint says what there is instead of a configuration.
func missingHint(e *nixos.NoSuchConfiguration) string {
	switch {
	case len(e.Names) == 0:
		return "define nixosConfigurations.NAME = nixpkgs.lib.nixosSystem { … } in the flake's outputs"
	case e.Output != "":
		return fmt.Sprintf("%s of a flake are something else: name the configuration, as in %s", e.Output, installable(e.Names[0]))
	case e.Near:
		return "did you mean " + quote(e.Names[0]) + "?"
	}
	return "name one that there is, as in " + installable(e.Names[0])
}

// installable is how a configuration of the flake here is named on a command line.
func installable(name string) string {
	if quote(name) == name {
		return ".#" + name // inside of a word, # is no comment
	}
	return quote(".#" + name)
}

func variantHint(e *nixos.NoVariantError) string {
	if len(e.Variants) == 0 {
		return "leave --image-variant out: livebuild adds the ISO module itself"
	}
	return "define image.modules." + e.Variant + " in the configuration, or take --image-variant iso"
}

// is says whether an error is, or wraps, one of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// systemHint is advice on what the operating system refused.
func systemHint(err error) string {
	var path *fs.PathError
	errors.As(err, &path)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room, or write to another disk with -o; nothing was left behind"
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrPermission):
		return "write to another folder with -o"
	case errors.Is(err, fs.ErrNotExist) && path != nil && strings.Contains(path.Path, "/store/"):
		return "a store path is gone: check the store with 'nix-store --verify --repair', then run livebuild again"
	case errors.Is(err, fs.ErrNotExist) && path != nil && strings.HasSuffix(path.Path, ".iso"):
		return "'livebuild iso' writes an image; give the path of one that is there"
	case errors.Is(err, fs.ErrNotExist):
		return "make the folder first, or write to another one with -o"
	}
	return "-v shows all that Nix says meanwhile"
}
