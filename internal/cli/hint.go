package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/qemu"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// report prints an error, and what can be done about it.
func (c *console) report(err error) {
	var build *nix.BuildError
	if errors.As(err, &build) {
		for _, line := range build.Log {
			c.line("  > " + line)
		}
	}
	c.line(indent("error: ", err.Error()))
	if c.verbose {
		if detail := detailOf(err); detail != "" {
			c.line(indent("  ", detail))
		}
	}
	c.line(indent("hint: ", hintFor(err)))
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

// hintFor is the advice on an error. All advice is here.
func hintFor(err error) string {
	var (
		usage       *usageError
		installable *nix.InstallableError
		settings    *codec.SettingsError
		unsupported *codec.UnsupportedError
		tooOld      *nix.TooOldError
		remote      *nix.RemoteStoreError
		missing     *nixos.NoSuchConfiguration
		several     *nixos.SeveralConfigurations
		notNixOS    *nixos.NotNixOS
		assertions  *nixos.AssertionError
		noModule    *nixos.NoISOModule
		inflexible  *nixos.NotExtensible
		contents    *nixos.ContentsError
		volumeID    *nixos.VolumeIDError
		name        *nixos.NameError
		initrd      *nixos.InitrdError
		target      *boot.TargetError
		collision   *boot.CollisionError
		text        *boot.TextError
		file        *boot.MissingFileError
		tool        *boot.ToolError
		epoch       *image.EpochError
		occupied    *image.OccupiedError
		place       *image.PlaceError
		unmountable *image.UnmountableError
		changed     *squashfs.ChangedError
		foreign     *image.ForeignError
		mode        *image.ModeError
		program     *qemu.ProgramError
		firmware    *qemu.FirmwareError
		memory      *qemu.MemoryError
		tooSmall    *qemu.FirmwareMemoryError
		host        *qemu.HostError
		port        *portError
		notBooted   *notBootedError
		platform    *nix.PlatformError
		build       *nix.BuildError
		failed      *nix.Error
	)
	switch {
	case errors.As(err, &installable):
		return "an installable is a flake reference and a name: .#exampleIso, github:owner/repo#exampleIso"
	case errors.As(err, &unsupported):
		return "another compression works: zstd:19 comes near xz in size"
	case errors.As(err, &settings):
		return "compressions are none, lz4, gzip, zstd and xz, with a level as in zstd:19, or mksquashfs' words as in \"zstd -Xcompression-level 19\""
	case errors.As(err, &epoch):
		return "unset SOURCE_DATE_EPOCH, or set it to what 'date +%s' prints"
	case errors.As(err, &usage):
		return "'livebuild --help' lists verbs, 'livebuild VERB --help' their flags"
	case errors.Is(err, nix.ErrNotFound):
		return "install Nix (nixos.org/download), or add it to the PATH: /nix/var/nix/profiles/default/bin, or /run/current-system/sw/bin on NixOS"
	case errors.As(err, &tooOld):
		return "install a newer Nix"
	case errors.As(err, &remote):
		return "--store names a store that builds: this machine's, a folder, or ssh-ng://HOST; downloads come from --substituters"
	case errors.As(err, &missing) && len(missing.Names) > 0:
		return "did you mean " + missing.Names[0] + "?"
	case errors.As(err, &missing):
		return "define nixosConfigurations.NAME = nixpkgs.lib.nixosSystem { … } in the flake's outputs"
	case errors.As(err, &several):
		return fmt.Sprintf("name one: .#%s, or --file FILE %[1]s", several.Names[0])
	case errors.As(err, &notNixOS):
		return "a configuration is what nixpkgs.lib.nixosSystem returns"
	case errors.As(err, &assertions):
		return "change the configuration as the messages say"
	case errors.As(err, &noModule):
		return `without --no-live livebuild adds it; or import (modulesPath + "/installer/cd-dvd/iso-image.nix") in the configuration`
	case errors.As(err, &inflexible):
		return "make the configuration with nixpkgs.lib.nixosSystem, or have it import all that it needs"
	case errors.As(err, &contents), errors.As(err, &target), errors.As(err, &collision):
		return "choose another target in isoImage.contents; 'livebuild plan' lists what the medium holds"
	case errors.As(err, &volumeID):
		return "set isoImage.volumeID to at most 32 letters, digits, '.', '_' and '-'"
	case errors.As(err, &name):
		return "set the option to a name without slashes"
	case errors.As(err, &initrd):
		return "set boot.initrd.systemd.enable = false, or use NixOS 25.11 or newer"
	case errors.Is(err, boot.ErrNoEntries):
		return "set isoImage.showConfiguration = true for one of them"
	case errors.As(err, &text):
		return "take the character out of the configuration's labels and kernel parameters"
	case errors.As(err, &file):
		return "the package was built, but does not hold the file: check the option that names it, and overlays that replace the package"
	case errors.As(err, &tool):
		return "the program is the configuration's own: check overlays that replace pkgs.grub2_efi"
	case errors.As(err, &occupied):
		return "--force replaces it, -o FILE writes elsewhere"
	case errors.As(err, &place):
		return "-o FILE writes elsewhere; --write DEVICE writes to a stick"
	case errors.As(err, &unmountable) && len(unmountable.Readable) > 0:
		return "choose a compression that it can read (" + strings.Join(unmountable.Readable, ", ") + "), or turn the options on in boot.kernelPatches"
	case errors.As(err, &unmountable):
		return "turn the options on in boot.kernelPatches: without them no live system starts"
	case errors.As(err, &changed):
		return "store paths do not change: check the store with 'nix-store --verify --check-contents'"
	case errors.As(err, &notBooted):
		return notBootedHint(notBooted)
	case errors.As(err, &foreign):
		return "an image is an .iso file, compressed or not, or a disc or stick that one was copied to"
	case errors.As(err, &mode):
		return "it starts as " + strings.Join(modeNames(mode.Modes), ", ")
	case errors.As(err, &program):
		return "install QEMU (Debian: qemu-system-x86 or qemu-system-arm; Fedora, Arch: qemu; or run 'nix shell nixpkgs#qemu' first)"
	case errors.As(err, &firmware):
		return "install UEFI firmware (Debian: ovmf or qemu-efi-aarch64; Fedora: edk2-ovmf or edk2-aarch64; Arch: edk2-ovmf or edk2-aarch64)"
	case errors.As(err, &memory):
		return "give the guest less memory with --memory, or free some"
	case errors.As(err, &tooSmall):
		return fmt.Sprintf("--memory %d, or more", tooSmall.NeededMiB)
	case errors.As(err, &port):
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

// notBootedHint is advice on the first boot that failed.
func notBootedHint(e *notBootedError) string {
	r := e.failed[0]
	outcome := r.verdict.Outcome
	if r.Serial == serialWays[loader.NoWay] && (outcome == qemu.Silent || outcome == qemu.TimedOut) {
		return "the kernel needs console=ttyS0,115200n8 (console=ttyAMA0,115200n8 on aarch64), and no boot menu was found to add it to; see " + r.seen()
	}
	switch outcome {
	case qemu.Silent:
		return "what the firmware started never spoke: the boot loader may be damaged; see " + r.seen()
	case qemu.TimedOut:
		return "--expect takes another text than a login prompt, --timeout more time; see " + r.seen()
	case qemu.NoBootDevice:
		return "the firmware did not take the image for bootable: it may be damaged or cut off"
	case qemu.LoaderPrompt:
		return "the boot loader lacks its menu or a file that the menu names; see " + r.seen()
	case qemu.EmergencyShell:
		return "the first stage did not find, or could not mount, what it needs: check the volume ID and the store image; see " + r.seen()
	}
	return "see " + r.seen()
}

// seen is where a failed boot can be looked at.
func (r *bootResult) seen() string {
	files := slices.DeleteFunc([]string{r.Log, r.Screenshot}, func(f string) bool { return f == "" })
	if len(files) == 0 {
		return "the lines above"
	}
	return strings.Join(files, " and ")
}

// hostHint is advice on what QEMU says about itself.
func hostHint(e *qemu.HostError) string {
	switch {
	case strings.Contains(e.Message, "Cannot allocate memory"):
		return "give the guest less memory with --memory, or free some"
	case strings.Contains(e.Message, "gtk"):
		return "this QEMU has no window here (Debian: qemu-system-gui): --display vnc, or --display none --serial"
	case strings.Contains(e.Message, "KVM"):
		return "KVM fails on this machine: keep QEMU from it by taking the permission to open /dev/kvm away"
	}
	return "the message is QEMU's own; --print of 'livebuild run' shows its command line"
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

// diskHint is advice on disks, or empty.
func diskHint(err error) string {
	var (
		missing   *device.MissingError
		notDisk   *device.NotDiskError
		partition *device.PartitionError
		used      *device.InUseError
		readOnly  *device.ReadOnlyError
		noMedium  *device.NoMediumError
		tooSmall  *device.TooSmallError
		changed   *device.ChangedError
		stalled   *device.StalledError
		failed    *device.IOError
		differs   *device.DifferenceError
		unnamed   *unnamedError
		serial    *serialError
		declined  *declinedError
		silent    *silentError
		rights    *rightsError
		passing   *notPassedError
		image     *changedImageError
	)
	switch {
	case errors.As(err, &missing), errors.As(err, &notDisk):
		return "'livebuild devices' lists the disks"
	case errors.As(err, &partition):
		return "an image is a disk with partitions of its own: write it to " + partition.Disk
	case errors.As(err, &used):
		return useHint(used.Disk)
	case errors.As(err, &readOnly):
		return "look for a switch on its side; a stick that is worn out stays read-only"
	case errors.As(err, &noMedium):
		return "put one in"
	case errors.As(err, &tooSmall):
		return "take a larger one, or make a smaller image"
	case errors.As(err, &changed):
		return "'livebuild devices' lists what is there now"
	case errors.As(err, &stalled):
		return "plug it in again, in another port; one that does this again is broken. --stall-timeout gives it more time"
	case errors.As(err, &failed) && failed.Gone():
		return "it was pulled out, or lost its power: plug it in and write again; what it has already is kept"
	case errors.As(err, &failed):
		return "the disk is broken, or not as large as it claims: take another one"
	case errors.As(err, &differs):
		return "write the image again; a disk that differs even then is broken, or not as large as it claims"
	case errors.As(err, &unnamed):
		return "if it is the right one, " + nameHint(unnamed.disk)
	case errors.As(err, &serial):
		return "'livebuild devices' lists serial numbers"
	case errors.As(err, &declined):
		return "type the name as it is shown; 'livebuild devices' lists the disks"
	case errors.As(err, &silent):
		return "to write without a question, say --yes and " + nameHint(silent.disk)
	case errors.As(err, &rights) && rights.command != "":
		return rights.command
	case errors.As(err, &rights), errors.As(err, &passing):
		return "in two steps: 'livebuild iso INSTALLABLE -o image.iso' as you are, and 'livebuild write image.iso DEVICE' as root"
	case errors.As(err, &image):
		return "wait until the file is complete, and write it again"
	}
	return ""
}

// useHint is advice on a disk that something holds.
func useHint(d device.Disk) string {
	mounted := slices.ContainsFunc(d.Uses, func(u device.Use) bool { return u.Kind != device.Swap && u.System })
	if mounted {
		return "'livebuild devices' lists the disks that may be written"
	}
	for _, u := range d.Uses {
		switch u.Kind {
		case device.Swap:
			return "if it is the right disk: swapoff " + u.Path
		case device.Held:
			return "if it is the right disk, stop what uses it: 'vgchange --activate n' for LVM, 'mdadm --stop' for a RAID, 'cryptsetup close', 'dmsetup remove'"
		case device.Member:
			return "if nobody needs that any more: wipefs --all " + u.Path
		}
	}
	if len(d.Uses) > 0 {
		return "if it is the right disk, --unmount unmounts it"
	}
	return "another program has it open: close that first; a pool of ZFS with 'zpool export'"
}

// nameHint says how to name a disk so that it can be no other.
func nameHint(d device.Disk) string {
	switch {
	case d.Serial != "":
		return "name it by --serial " + quote(d.Serial)
	case len(d.IDs) > 0:
		return "name it " + d.IDs[0]
	}
	return "name it by a link in /dev/disk/by-id; it has no serial number"
}

// imageFileHint is advice on image files, or empty.
func imageFileHint(err error) string {
	var (
		open     *imagefile.OpenError
		regular  *imagefile.NotRegularError
		empty    *imagefile.EmptyError
		damaged  *imagefile.DamagedError
		checksum *imagefile.ChecksumError
		sum      *imagefile.SumError
	)
	switch {
	case errors.As(err, &open), errors.As(err, &regular), errors.As(err, &empty):
		return "name the file of an image, and then the disk"
	case errors.As(err, &damaged):
		return "nothing was written; download or copy the file again"
	case errors.As(err, &checksum):
		return "nothing was written; download or copy the file again, or say with --sha256 what it should be"
	case errors.As(err, &sum):
		return "say with --sha256 what it should be"
	}
	return ""
}

func buildHint(e *nix.BuildError) string {
	switch e.Kind {
	case nix.KindWrongSystem:
		if e.System == "" || e.System == nix.Machine() {
			return "no machine here has the features: add them to system-features in nix.conf, or build with another machine (--builders)"
		}
		return platformHint(&nix.PlatformError{Platform: e.System})
	case nix.KindExecFormat:
		return "the emulator for that system is not registered with the kernel: look into /proc/sys/fs/binfmt_misc"
	case nix.KindNoSpace:
		return "make room in the Nix store: 'nix-collect-garbage' deletes what nothing refers to"
	case nix.KindHashMismatch:
		return "the download is not what its hash says: update the hash, or the flake's inputs"
	}
	return "the whole log: " + e.LogCommand
}

// platformHint is what to add where, so that a platform can be built for.
func platformHint(e *nix.PlatformError) string {
	nixOS := fmt.Sprintf("on NixOS, boot.binfmt.emulatedSystems = [ %q ];", e.Platform)
	setting := fmt.Sprintf(`"extra-platforms = %s" in /etc/nix/nix.conf`, e.Platform)
	switch e.Reason {
	case nix.UnknownPlatform:
		return "build with another machine (--builders), or by cross-compiling (nixpkgs.buildPlatform)"
	case nix.NoBinfmt:
		return nixOS + " elsewhere, mount -t binfmt_misc none /proc/sys/fs/binfmt_misc, and echo 1 > /proc/sys/fs/binfmt_misc/status"
	case nix.EmulatorOff:
		return "switch it on: echo 1 > " + e.Entry
	case nix.EmulatorMissing:
		return nixOS + " elsewhere, install it again: apt install --reinstall qemu-user-static"
	case nix.EmulatorHidden:
		return nixOS + " elsewhere, install qemu-user-static, which registers with F, or set \"extra-sandbox-paths = " + e.Interpreter + "\" in /etc/nix/nix.conf if it is a static program"
	case nix.NotTrusted:
		return nixOS + " elsewhere, " + setting + ", then systemctl restart nix-daemon"
	}
	return nixOS + " elsewhere, apt install qemu-user-static binfmt-support, and " + setting +
		"; or build with another machine (--builders), or by cross-compiling (nixpkgs.buildPlatform)"
}

// position is where a syntax error is, relative to the flake's source if it is
// in that.
var position = regexp.MustCompile(`(?m)^\s*at (?:\S*/[0-9a-z]{32}-source/)?([^:\n]+):(\d+):(\d+):`)

func evaluationHint(e *nix.Error) string {
	switch e.Kind {
	case nix.KindUntrackedFile:
		if e.Ignored {
			return fmt.Sprintf("git ignores the file, and Nix sees only what git tracks: git -C %s add --force --intent-to-add %s", e.Repository, e.File)
		}
		return fmt.Sprintf("Nix sees only what git tracks: git -C %s add --intent-to-add %s", e.Repository, e.File)
	case nix.KindMissingFile:
		return "the flake's source lacks the file; in a git repository Nix sees only what git tracks"
	case nix.KindNoFlake:
		if strings.Contains(e.Message, " ") && strings.HasSuffix(e.Message, "is not a valid URL") {
			return "this version of Nix takes no such characters in a flake reference: go to the folder and write .#name"
		}
		return "a flake is a folder with a flake.nix: give its path, as in path/to/flake#name"
	case nix.KindNoAttribute:
		return "define nixosConfigurations.NAME = nixpkgs.lib.nixosSystem { … } in the flake's outputs"
	case nix.KindUnfree:
		return "allow it in the configuration: nixpkgs.config.allowUnfreePredicate, or nixpkgs.config.allowUnfree = true"
	case nix.KindInsecure:
		return "allow it in the configuration: nixpkgs.config.permittedInsecurePackages"
	case nix.KindBroken, nix.KindUnsupported:
		return "leave the package out, or take another version of nixpkgs"
	case nix.KindSyntax:
		// Other positions, before it or after, tell how Nix got there.
		_, after, _ := strings.Cut(e.Detail, "syntax error")
		if m := position.FindStringSubmatch(after); m != nil {
			return fmt.Sprintf("look at line %s of %s, near column %s", m[2], m[1], m[3])
		}
	case nix.KindRecursion:
		return "an option depends on itself: --show-trace -v shows where"
	case nix.KindLockFile:
		return "update the lock file: nix flake lock"
	case nix.KindNoSpace:
		return "make room in the Nix store: 'nix-collect-garbage' deletes what nothing refers to"
	case nix.KindDaemon:
		return "start the Nix daemon: systemctl start nix-daemon"
	case nix.KindRemote:
		return "try 'ssh HOST nix-store --version': the other machine must let you in and have Nix on its PATH"
	case nix.KindSearchPath:
		return "say where it is: -I nixpkgs=/path/to/nixpkgs, or a channel in NIX_PATH"
	case nix.KindOwner:
		return "git refuses another user's repository: run livebuild as its owner, or add it to git's safe.directory"
	case nix.KindNoGit:
		return "install git"
	case nix.KindDownload:
		return "check the network; with --offline Nix uses what it already has"
	case nix.KindNoImport:
		return "the configuration builds something to evaluate it: --option allow-import-from-derivation true"
	case nix.KindImpure:
		return "make the flake pure, or pass --impure"
	case nix.KindBuildUsers:
		return "make the build users, or set build-users-group to nothing in nix.conf to build as root"
	case nix.KindPermission:
		return "use the Nix daemon, or run livebuild as the owner of /nix"
	case nix.KindSandbox:
		return "the kernel here cannot sandbox builds: --option sandbox false"
	case nix.KindSettings:
		return "look into nix.conf and NIX_CONFIG"
	case nix.KindVanished:
		return "the garbage collector ran meanwhile: run livebuild again"
	case nix.KindCrash:
		return "run it again with GC_DONT_GC=1 in the environment, or use another version of Nix"
	}
	return "-v shows all that Nix says, --show-trace where it comes from"
}
