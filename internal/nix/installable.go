package nix

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// Installable names one configuration of a flake.
type Installable struct {
	// Ref is the flake reference, to be passed to Nix as it is: ".",
	// "path:dir", "github:owner/repo/branch?dir=sub".
	Ref string
	// Name is the attribute below nixosConfigurations. It is one name, whatever
	// characters it has. Empty stands for the flake's only configuration.
	Name string
}

// configurations is the flake output that Name is looked up in.
const configurations = "nixosConfigurations"

func (i Installable) String() string {
	if i.Name == "" {
		return i.Ref
	}
	return i.Ref + "#" + i.Name
}

// InstallableError reports text that does not name a configuration.
type InstallableError struct {
	Text   string
	Reason string
}

func (e *InstallableError) Error() string {
	return fmt.Sprintf("installable %q: %s", e.Text, e.Reason)
}

// ParseInstallable splits text of the form [REF][#NAME], as nixos-rebuild
// takes it, at the first '#'. An empty REF means ".". NAME may be written in
// full (nixosConfigurations.NAME), in double quotes, and percent-encoded as
// Nix allows in a fragment; dots in it belong to the name. Errors are of type
// *InstallableError.
func ParseInstallable(text string) (Installable, error) {
	fail := func(format string, args ...any) (Installable, error) {
		return Installable{}, &InstallableError{Text: text, Reason: fmt.Sprintf(format, args...)}
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return fail("control character at byte %d", i)
	}
	ref, fragment, _ := strings.Cut(text, "#")
	if strings.HasPrefix(ref, "-") {
		return fail("a flake reference cannot start with %q; for a folder of that name write %q", "-", "./"+ref)
	}
	fragment, err := url.PathUnescape(fragment)
	if err != nil {
		return fail("bad percent-encoding after %q", "#")
	}
	if strings.ContainsRune(fragment, 0) {
		return fail("a name cannot contain a NUL byte")
	}
	ref = flakeFolder(ref)

	name := strings.TrimPrefix(fragment, ".") // ".#.x" starts at the root, as names do here anyway
	rest, full := strings.CutPrefix(name, configurations+".")
	switch {
	case name == configurations:
		return Installable{Ref: ref}, nil
	case full && rest == "":
		return fail("no name after %q", configurations+".")
	case full:
		name = rest
	}
	if quoted, ok := strings.CutPrefix(name, `"`); ok {
		inner, after, closed := strings.Cut(quoted, `"`)
		switch {
		case !closed:
			return fail("missing closing quote")
		case inner == "":
			return fail("empty name")
		case after != "":
			return fail("%q goes beyond the configuration %q", strings.TrimPrefix(after, "."), inner)
		}
		return Installable{Ref: ref, Name: inner}, nil
	}
	// What people know by heart is the whole path to the image derivation.
	if before, _, found := strings.Cut(name+".", ".config."); full && found {
		return fail("%q goes beyond the configuration; write %q", strings.TrimPrefix(name, before+"."), ref+"#"+before)
	}
	return Installable{Ref: ref, Name: name}, nil
}

// flakeFolder returns the folder if ref names the file flake.nix in it, which
// Nix accepts only since 2.21, and "." for an empty reference, which Nix 2.8
// and Lix refuse.
func flakeFolder(ref string) string {
	folder, query, hasQuery := strings.Cut(ref, "?")
	if pathLike(folder) && path.Base(folder) == "flake.nix" {
		folder = path.Dir(folder)
	}
	if folder == "" {
		folder = "."
	}
	if hasQuery {
		return folder + "?" + query
	}
	return folder
}

// pathLike reports whether ref is a plain file name and not a URL-like
// reference. A bare word other than the file flake.nix is a registry name, but
// whoever asks has a folder to look at first.
func pathLike(ref string) bool {
	return !strings.Contains(ref, ":")
}
