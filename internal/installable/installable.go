// Package installable reads what a user names: one configuration, of a flake or of a
// file. It looks at the files of this machine where a name depends on them, changes
// nothing, and runs nothing, neither Nix nor git.
//
// References: the Nix reference manual (nix.dev/manual/nix), "nix", section
// "Installables", and "nix flake", section "Flake references".
package installable

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Installable names one configuration, of a flake or of a file outside of flakes.
type Installable struct {
	// Ref is the flake reference, to be passed to Nix as it is: ".",
	// "path:dir", "github:owner/repo/branch?dir=sub".
	Ref string
	// File is the file instead: an absolute path, or a name in angle brackets that
	// Nix looks up in its search path.
	File string
	// Name is the attribute below nixosConfigurations, or one of the set that the
	// file has. It is one name, whatever characters it has. Empty stands for the
	// only configuration.
	Name string
}

// Configurations is the flake output that Name is looked up in.
const Configurations = "nixosConfigurations"

func (i Installable) String() string {
	if i.File != "" {
		return strings.TrimSuffix(i.FileName()+" "+i.Name, " ")
	}
	if i.Name == "" {
		return i.Ref
	}
	return i.Ref + "#" + i.Name
}

// FileName is what the configuration of a file that has only one is called: the
// name of the file, or of its folder, without an extension.
func (i Installable) FileName() string {
	name := strings.Trim(i.File, "<>")
	if path.Base(name) == "default.nix" {
		name = path.Dir(name)
	}
	return strings.TrimSuffix(path.Base(name), ".nix")
}

// IsSearchPath reports whether text is a name that Nix looks up, as <nixpkgs>.
func IsSearchPath(text string) bool { return searchPath.MatchString(text) }

var searchPath = regexp.MustCompile(`^<[a-zA-Z0-9._\-+]+(/[a-zA-Z0-9._\-+]+)*>$`)

// OfFile is the configuration of that name, or the only one, of a file.
// Errors are of type *Error.
func OfFile(file, name string) (Installable, error) {
	if IsSearchPath(file) {
		return Installable{File: file, Name: name}, nil
	}
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		file = filepath.Join(file, "default.nix")
		_, err = os.Stat(file)
	}
	if err != nil {
		return Installable{}, &Error{Text: file, Reason: "the file does not exist"}
	}
	file, err = filepath.Abs(file)
	return Installable{File: file, Name: name}, err
}

// Error reports text that does not name a configuration.
type Error struct {
	Text   string
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("installable %q: %s", e.Text, e.Reason)
}

// Parse splits text of the form [REF][#NAME], as nixos-rebuild
// takes it, at the first '#'. An empty REF means ".". NAME may be written in
// full (nixosConfigurations.NAME), in double quotes, and percent-encoded as
// Nix allows in a fragment; dots in it belong to the name. A REF that is the path
// of a Nix file other than flake.nix means that file. Symbolic links to the folder
// of a flake, which Nix refuses, are followed. Errors are of type *Error.
func Parse(text string) (Installable, error) {
	fail := func(format string, args ...any) (Installable, error) {
		return Installable{}, &Error{Text: text, Reason: fmt.Sprintf(format, args...)}
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
	if !strings.Contains(ref, ":") && path.Ext(ref) == ".nix" && path.Base(ref) != "flake.nix" {
		return OfFile(ref, strings.Trim(fragment, `"`))
	}
	ref = realFolder(flakeFolder(ref))

	// beyond refuses what is inside of a configuration.
	beyond := func(name, attribute string) (Installable, error) {
		write := fmt.Sprintf("%q", ref+"#"+name)
		if variant, ok := strings.CutPrefix(attribute, "config.system.build.images."); ok {
			write += " --image-variant " + variant
		}
		return fail("%q goes beyond the configuration; write %s", attribute, write)
	}

	name := strings.TrimPrefix(fragment, ".") // ".#.x" starts at the root, as names do here anyway
	rest, full := strings.CutPrefix(name, Configurations+".")
	switch {
	case name == Configurations:
		return Installable{Ref: ref}, nil
	case full && rest == "":
		return fail("no name after %q", Configurations+".")
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
			return beyond(inner, strings.TrimPrefix(after, "."))
		}
		return Installable{Ref: ref, Name: inner}, nil
	}
	// What people know by heart is the whole path to the image derivation. Without
	// the name of the output, dots belong to the name, so only what no name has is
	// taken for that.
	inside := ".config.system.build."
	if full {
		inside = ".config."
	}
	if before, _, found := strings.Cut(name+".", inside); found {
		return beyond(before, strings.TrimPrefix(name, before+"."))
	}
	return Installable{Ref: ref, Name: name}, nil
}
