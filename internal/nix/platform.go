package nix

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/binfmt"
	"github.com/livebuild/livebuild/internal/builders"
	"github.com/livebuild/livebuild/internal/store"
)

// Machine is the platform that this program runs on, as Nix writes it:
// "x86_64-linux". Nix's own setting can be another one.
func Machine() string {
	processor, ok := map[string]string{
		"386": "i686", "amd64": "x86_64", "arm": "armv7l", "arm64": "aarch64",
		"loong64": "loongarch64", "ppc64": "powerpc64", "ppc64le": "powerpc64le",
	}[runtime.GOARCH]
	if !ok {
		processor = runtime.GOARCH
	}
	return processor + "-" + runtime.GOOS
}

// BuildMachine returns the platform of the machine that has the store in which things
// are built: this one. If it is another, of which nothing is known, it is empty.
func (n *Nix) BuildMachine(ctx context.Context) (string, error) {
	s, err := n.stores(ctx)
	if err != nil || s.remote {
		return "", err
	}
	return Machine(), nil
}

// BuildsBy is who builds derivations of a platform.
type BuildsBy int

const (
	// Nobody builds them.
	Nobody BuildsBy = iota
	// ThisMachine runs their programs itself.
	ThisMachine
	// AnotherMachine is one of the builders, or that of the store.
	AnotherMachine
	// Emulation runs their programs here.
	Emulation
)

// PlatformError reports a platform that nothing can be built for.
type PlatformError struct {
	Platform string
	Reason   PlatformReason
	// Interpreter is the emulator's program, and Entry the file of its registration,
	// if there is one.
	Interpreter, Entry string
	// Derivations are those that would have to be built, if that is known.
	Derivations []string
}

// PlatformReason is why there is no emulation.
type PlatformReason int

const (
	NoEmulator      PlatformReason = iota // none is registered with the kernel
	UnknownPlatform                       // no emulator can be known for it
	NoBinfmt                              // the kernel emulates nothing: binfmt_misc is missing or off
	EmulatorOff                           // it is registered, and switched off
	EmulatorMissing                       // the registered program does not exist
	EmulatorHidden                        // builds cannot see the program from inside their sandbox
	NotTrusted                            // Nix does not know of it, and this user may not tell the daemon
)

func (e *PlatformError) Error() string {
	what := "nothing can be built for " + e.Platform
	if n := len(e.Derivations); n > 0 {
		what = fmt.Sprintf("%s cannot be built for %s", store.DerivationName(e.Derivations[0]), e.Platform)
		if n == 2 {
			what += ", nor can 1 other"
		} else if n > 2 {
			what = fmt.Sprintf("%s, nor can %d others", what, n-1)
		}
	}
	return what + ": " + e.reason()
}

func (e *PlatformError) reason() string {
	switch e.Reason {
	case UnknownPlatform:
		return "no machine builds for it"
	case NoBinfmt:
		return "the kernel starts no emulators, since binfmt_misc is not mounted or is disabled"
	case EmulatorOff:
		return "its emulator is registered, but disabled in " + e.Entry
	case EmulatorMissing:
		return "its emulator is registered as " + e.Interpreter + ", which does not exist"
	case EmulatorHidden:
		return "its emulator " + e.Interpreter + " is registered without the flag F, and is not in the sandbox"
	case NotTrusted:
		return "its emulator is registered, but Nix does not know of it, and you may not tell the daemon"
	}
	return "no machine builds for it, and no emulator is registered for it"
}

// Builder finds out who can build derivations of a platform, without building. The
// error is a *PlatformError if nobody can. What is known is what Nix is set up to,
// and what the kernel of this machine has registered; whether another machine does
// its work is not tried.
//
// If all that lacks is that Nix knows of the emulation, the flags tell it, for
// WithFlags: they have the platform in the setting extra-platforms.
func (n *Nix) Builder(ctx context.Context, platform string) (by BuildsBy, flags []string, err error) {
	s, err := n.stores(ctx)
	if err != nil {
		return Nobody, nil, err
	}
	if s.remote {
		return AnotherMachine, nil, nil
	}
	set, err := n.config(ctx)
	if err != nil {
		return Nobody, nil, err
	}
	known := platform == set.system || slices.Contains(set.extraPlatforms, platform)
	if known && runsOn(Machine(), platform) {
		return ThisMachine, nil, nil
	}
	if builders.Build(set.builders, platform, set.system) {
		return AnotherMachine, nil, nil
	}
	if err := emulates(binfmt.Folder, platform, set); err != nil {
		return Nobody, nil, err
	}
	if known {
		return Emulation, nil, nil
	}
	if !n.mayChangeSettings(set) {
		return Nobody, nil, &PlatformError{Platform: platform, Reason: NotTrusted}
	}
	return Emulation, tellPlatform(set, platform), nil
}

// tellPlatform lets Nix build for a platform. The setting replaces the one there is.
func tellPlatform(set settings, platform string) (flags []string) {
	all := append(slices.Clone(set.extraPlatforms), platform)
	return []string{"--option", "extra-platforms", strings.Join(all, " ")}
}

// ForPlatform returns those of the derivations that need a machine for the platform.
func (n *Nix) ForPlatform(ctx context.Context, derivations []string, platform string) ([]string, error) {
	s, err := n.stores(ctx)
	if err != nil {
		return nil, err
	}
	if s.remote {
		return nil, nil
	}
	files, err := parseStore(s.build, n.options.defaultStore())
	if err != nil {
		return nil, err
	}
	var found []string
	for _, path := range derivations {
		d, err := store.ReadDerivation(files.PhysicalPath(path))
		if err != nil {
			return nil, err
		}
		if d.System == platform && !d.Anywhere() {
			found = append(found, path)
		}
	}
	return found, nil
}

// Derivations returns what reads derivations, in the store that evaluations write to.
func (n *Nix) Derivations(ctx context.Context) (func(path string) (store.Derivation, error), error) {
	s, err := n.stores(ctx)
	if err != nil {
		return nil, err
	}
	files, err := parseStore(cmp.Or(s.eval, s.build), n.options.defaultStore())
	return func(path string) (store.Derivation, error) { return store.ReadDerivation(files.PhysicalPath(path)) }, err
}

// runsOn reports whether a machine runs programs of a platform by itself. Some
// processors run those of an older one.
func runsOn(machine, platform string) bool {
	if machine == platform || strings.HasPrefix(platform, "x86_64-v") && machine == "x86_64-linux" {
		return true
	}
	return slices.Contains(map[string][]string{
		"x86_64-linux":  {"i686-linux"},
		"aarch64-linux": {"armv7l-linux", "armv6l-linux"},
	}[machine], platform)
}

// emulates finds out whether programs of a platform run in builds here. Its error is
// a *PlatformError if they do not.
func emulates(folder, platform string, set settings) error {
	failed := &PlatformError{Platform: platform}
	if !binfmt.Known(platform) {
		failed.Reason = UnknownPlatform
		return failed
	}
	all, err := binfmt.Read(folder)
	if errors.Is(err, binfmt.ErrOff) {
		failed.Reason = NoBinfmt
		return failed
	}
	if err != nil {
		return err
	}
	e, found := binfmt.For(all, platform)
	failed.Interpreter, failed.Entry = e.Interpreter, e.File
	switch {
	case !found:
		failed.Reason = NoEmulator
		return failed
	case !e.Enabled:
		failed.Reason = EmulatorOff
		return failed
	case e.Opened:
		return nil
	}
	program, err := filepath.EvalSymlinks(e.Interpreter)
	if err != nil {
		failed.Reason = EmulatorMissing
		return failed
	}
	if set.sandbox && (!set.inSandbox(e.Interpreter) || !set.inSandbox(program)) {
		failed.Reason = EmulatorHidden
		return failed
	}
	return nil
}

// inSandbox reports whether builds see a file. Paths of the setting are folders or
// files, "inside=outside" or with a question mark if they may be missing; those in
// the store bring what they refer to with them.
func (s settings) inSandbox(file string) bool {
	return slices.ContainsFunc(s.sandboxPaths, func(path string) bool {
		path, _, _ = strings.Cut(strings.TrimSuffix(path, "?"), "=")
		return file == path || strings.HasPrefix(file, strings.TrimSuffix(path, "/")+"/")
	})
}

// mayChangeSettings reports whether this user's settings count: where Nix builds
// itself, and where the daemon trusts the user.
func (n *Nix) mayChangeSettings(set settings) bool {
	state := n.options.getenv("NIX_STATE_DIR")
	if state == "" {
		state = "/nix/var/nix"
	}
	direct := set.store == "auto" && unix.Access(state, unix.R_OK|unix.W_OK) == nil // openStore in libstore/store-api.cc
	if direct || set.store != "auto" && set.store != "daemon" && !strings.HasPrefix(set.store, "unix://") {
		return true
	}
	me, err := user.Current()
	if err != nil {
		return false
	}
	if me.Uid == "0" || slices.Contains(set.trustedUsers, me.Username) || slices.Contains(set.trustedUsers, "*") {
		return true
	}
	groups, err := me.GroupIds()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(groups, func(id string) bool {
		group, err := user.LookupGroupId(id)
		return err == nil && slices.Contains(set.trustedUsers, "@"+group.Name)
	})
}
