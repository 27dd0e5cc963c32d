package nixos

import (
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/installable"
)

// NoConfigurationError reports a name that the flake does not have. An empty
// Name means that none was given and the flake has no configuration at all.
type NoConfigurationError struct {
	Name  string
	Names []string // what there is, the most similar first
	// Near tells that the first of Names may be meant.
	Near bool
	// Output is the flake output that the name is of, if it is of another than
	// nixosConfigurations: "packages".
	Output string
}

func (e *NoConfigurationError) Error() string {
	switch {
	case len(e.Names) > 0:
		return fmt.Sprintf("no configuration %q; there is %s", e.Name, quoted(e.Names))
	case e.Name == "":
		return "nixosConfigurations is empty"
	}
	return fmt.Sprintf("no configuration %q: nixosConfigurations is empty", e.Name)
}

// SeveralConfigurationsError reports that no name was given although there is a
// choice.
type SeveralConfigurationsError struct {
	// Of is the flake or file that has them, as it was named for the image; the zero value of one that
	// was named for a system to be installed.
	Of    installable.Installable
	Names []string // sorted
}

func (e *SeveralConfigurationsError) Error() string {
	what := "several configurations, and none was named"
	switch {
	case e.Of == installable.Installable{}:
		what += " of those to be installed"
	case e.Of.Ref != ".":
		what = e.Of.String() + " has " + what
	}
	return what + "; there is " + quoted(e.Names)
}

// NotNixOSError reports a value that is no NixOS configuration.
type NotNixOSError struct {
	Name  string
	Found string // what it is instead: "a home-manager configuration"
}

func (e *NotNixOSError) Error() string {
	return fmt.Sprintf("configuration %q is %s, not a NixOS configuration", e.Name, e.Found)
}

// NotExtensibleError reports a configuration that cannot be changed: it was made by
// something else than nixosSystem.
type NotExtensibleError struct {
	Name    string
	Missing bool // the ISO module, which would have to be added
	// FromMemory tells that the netboot module would have to be added.
	FromMemory bool
}

func (e *NotExtensibleError) Error() string {
	need := "take the changes asked for"
	switch {
	case e.FromMemory:
		need = "be made to start from memory: that takes nixpkgs' netboot module"
	case e.Missing:
		need = "be made live: it does not import nixpkgs' ISO image module"
	}
	return fmt.Sprintf("configuration %q has no extendModules, so it cannot %s", e.Name, need)
}

// AssertionError has the messages of the assertions that the configuration
// fails. A message may have several lines.
type AssertionError struct {
	Name     string
	Messages []string
}

func (e *AssertionError) Error() string {
	return fmt.Sprintf("configuration %q fails its assertions:\n- %s", e.Name,
		indented(e.Messages))
}

// NoISOModuleError reports a configuration that does not import iso-image.nix.
type NoISOModuleError struct {
	Name string
}

func (e *NoISOModuleError) Error() string {
	return fmt.Sprintf("configuration %q does not import nixpkgs' ISO image module", e.Name)
}

// NoStaticError reports a configuration whose nixpkgs has no programs for whatever system is to be
// replaced by kexec.
type NoStaticError struct {
	Name     string
	Packages []string // that are missing, or not for its platform
}

func (e *NoStaticError) Error() string {
	return fmt.Sprintf("the nixpkgs of configuration %q has no static %s for its platform, which kexec takes", e.Name, strings.Join(e.Packages, " and "))
}

// NoVariantError reports a name that image.modules does not have.
type NoVariantError struct {
	Name     string
	Variant  string
	Variants []string // sorted; none before NixOS 25.05
}

func (e *NoVariantError) Error() string {
	if len(e.Variants) == 0 {
		return fmt.Sprintf("configuration %q has no image.modules, so no variant %q: its NixOS is older than 25.05", e.Name, e.Variant)
	}
	return fmt.Sprintf("configuration %q has no image.modules.%s; there is %s", e.Name, e.Variant, quoted(e.Variants))
}

// ContentsError reports entries of isoImage.contents whose targets the image
// itself has.
type ContentsError struct {
	Name    string
	Targets []string
}

func (e *ContentsError) Error() string {
	return fmt.Sprintf("configuration %q: isoImage.contents has a second %s", e.Name, quoted(e.Targets))
}

// VolumeIDError reports a volume ID that no medium can have, or that differs
// from the one that a specialisation looks for.
type VolumeIDError struct {
	VolumeID string
	Reason   string
}

func (e *VolumeIDError) Error() string {
	return fmt.Sprintf("volume ID %q %s", e.VolumeID, e.Reason)
}

// NameError reports a file name that cannot be used.
type NameError struct {
	Option string
	Name   string
	Reason string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%s: %q is no name for a file: %s", e.Option, e.Name, e.Reason)
}

// SourceError reports a file that is not in the Nix store. Nothing else of the
// machine that makes an image gets onto it.
type SourceError struct {
	Option string
	File   string
}

func (e *SourceError) Error() string {
	return fmt.Sprintf("%s: %q is not in the Nix store", e.Option, e.File)
}

// InitrdError reports a systemd stage 1 that would wait for the medium forever:
// the ISO module of these releases gives it the device of the scripted one.
type InitrdError struct {
	Name   string
	Device string // what /iso is mounted from
}

func (e *InitrdError) Error() string {
	return fmt.Sprintf("configuration %q has a systemd initrd, which cannot find the medium as %s in NixOS of this age",
		e.Name, e.Device)
}

func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(list, ", ")
}

// indented makes a list of messages, the further lines of each under its first.
func indented(messages []string) string {
	list := make([]string, len(messages))
	for i, message := range messages {
		list[i] = strings.ReplaceAll(strings.TrimSpace(message), "\n", "\n  ")
	}
	return strings.Join(list, "\n- ")
}
