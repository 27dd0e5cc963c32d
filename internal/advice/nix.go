package advice

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/nix"
)

// nixHints are advice on Nix.
var nixHints = []Row{
	On[*nix.FlagError](Usage),
	OnErr(nix.ErrNotFound, "install Nix (nixos.org/download), or add it to the PATH: /nix/var/nix/profiles/default/bin, or /run/current-system/sw/bin on NixOS"),
	On[*nix.TooOldError]("install a newer Nix"),
	On[*nix.ArgumentsError]("a flag of Nix, or the environment, is too long: Linux takes 128 KiB in one argument and 2 MiB in all; put settings into nix.conf"),
	On[*nix.RemoteStoreError]("--store names a store that builds: this machine's, a folder, or ssh-ng://HOST; downloads come from --substituters"),
	OnValue(platformHint),
	OnValue(buildHint),
	OnValue(evaluationHint),
}

// buildHint is advice on a build that failed.
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
	if grubProgram.MatchString(e.Derivation) {
		return "grub-mkimage is the configuration's own: check overlays that replace pkgs.grub2_efi"
	}
	return "the whole log: " + human.ShellLine(e.LogCommand)
}

// grubProgram is the derivation of GRUB's program.
var grubProgram = regexp.MustCompile(`-grub-[a-z0-9_]+-efi\.efi\.drv$`)

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

// evaluationHint is advice on what Nix itself says.
func evaluationHint(e *nix.Error) string {
	switch e.Kind {
	case nix.KindUntrackedFile:
		if e.Ignored {
			return fmt.Sprintf("git ignores the file, and Nix sees only what git tracks: git -C %s add --force --intent-to-add %s", human.Quote(e.Repository), human.Quote(e.File))
		}
		return fmt.Sprintf("Nix sees only what git tracks: git -C %s add --intent-to-add %s", human.Quote(e.Repository), human.Quote(e.File))
	case nix.KindSubmodule:
		return "ask for submodules, too: " + human.Quote(e.Reference+"#NAME")
	case nix.KindBadLock:
		return fmt.Sprintf("take the file of one side (git checkout --ours -- %s), or remove it; then nix flake lock", human.Quote(e.File))
	case nix.KindNoFlake:
		if strings.Contains(e.Message, " ") && strings.HasSuffix(e.Message, "is not a valid URL") {
			return "this version of Nix takes no such characters in a flake reference: go to the folder and write .#name"
		}
	case nix.KindSyntax:
		// Other positions, before it or after, tell how Nix got there.
		_, after, _ := strings.Cut(e.Detail, "syntax error")
		if m := position.FindStringSubmatch(after); m != nil {
			return fmt.Sprintf("look at line %s of %s, near column %s", m[2], m[1], m[3])
		}
	case nix.KindOwner:
		if e.Repository != "" {
			return "run livebuild as its owner, or trust it: git config --global --add safe.directory " + human.Quote(strings.TrimSuffix(e.Repository, "/"))
		}
	}
	return cmp.Or(kindHints[e.Kind], "-v shows all that Nix says, --show-trace where it comes from")
}

// kindHints are advice on kinds of errors of which no more need be known.
var kindHints = map[nix.Kind]string{
	nix.KindNested:      "Nix sees only the flake's own repository: make the other one an input of the flake, or a git submodule",
	nix.KindMissingFile: "the flake's source lacks the file; in a git repository Nix sees only what git tracks",
	nix.KindNoFlake:     "a flake is a folder with a flake.nix: give its path, as in path/to/flake#name",
	nix.KindNoAttribute: "define nixosConfigurations.NAME = nixpkgs.lib.nixosSystem { … } in the flake's outputs",
	nix.KindFeature:     "turn it on: --option extra-experimental-features NAME",
	nix.KindUnfree:      "allow it in the configuration: nixpkgs.config.allowUnfreePredicate, or nixpkgs.config.allowUnfree = true",
	nix.KindInsecure:    "allow it in the configuration: nixpkgs.config.permittedInsecurePackages",
	nix.KindBroken:      "leave the package out, or take another version of nixpkgs",
	nix.KindUnsupported: "leave the package out, or take another version of nixpkgs",
	nix.KindRecursion:   "an option depends on itself: --show-trace -v shows where",
	nix.KindLockFile:    "update the lock file: nix flake lock",
	nix.KindNoSpace:     "make room in the Nix store: 'nix-collect-garbage' deletes what nothing refers to",
	nix.KindDaemon:      "start the Nix daemon: systemctl start nix-daemon",
	nix.KindRemote:      "try 'ssh HOST nix-store --version': the other machine must let you in and have Nix on its PATH",
	nix.KindSearchPath:  "say where it is: -I nixpkgs=/path/to/nixpkgs, or a channel in NIX_PATH",
	nix.KindOwner:       "git refuses another user's repository: run livebuild as its owner, or add it to git's safe.directory",
	nix.KindNoGit:       "install git",
	nix.KindDownload:    "check the network; with --offline Nix uses what it already has",
	nix.KindNoImport:    "the configuration builds something to evaluate it: --option allow-import-from-derivation true",
	nix.KindImpure:      "make the flake pure, or pass --impure",
	nix.KindBuildUsers:  "make the build users, or set build-users-group to nothing in nix.conf to build as root",
	nix.KindPermission:  "use the Nix daemon, or run livebuild as the owner of /nix",
	nix.KindSandbox:     "the kernel here cannot sandbox builds: --option sandbox false",
	nix.KindSettings:    "look into nix.conf and NIX_CONFIG",
	nix.KindVanished:    "the garbage collector ran meanwhile: run livebuild again",
	nix.KindCrash:       "run it again with GC_DONT_GC=1 in the environment, or use another version of Nix",
}
