package nix

import (
	"errors"
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/store"
)

// Error is a failure that Nix reported, except of a build.
type Error struct {
	Kind Kind
	// Message is what went wrong, in one line, without Nix's "error:" and
	// traces.
	Message string
	// Detail is everything Nix said about it, in its words.
	Detail string
	// File is the file that is not there, relative to the root of the flake's
	// source if it is of that; of KindMissingFile, KindUntrackedFile, KindSubmodule
	// and KindNested. Of KindBadLock it is the lock file.
	File string
	// Repository is the git work tree that has File, and Ignored whether it
	// is told to ignore it; of KindUntrackedFile, KindSubmodule, KindNested and
	// KindOwner.
	Repository string
	Ignored    bool
	// Reference is the flake reference with which Nix would see the file; of
	// KindSubmodule.
	Reference string
}

func (e *Error) Error() string { return e.Message }

// BuildError is a derivation that could not be built.
type BuildError struct {
	Kind       Kind     // KindBuild, or what is known about its cause
	Derivation string   // store path of the .drv
	Reason     string   // in one line
	Log        []string // last lines of the build's output
	// System names the system that the derivation is for; of KindWrongSystem,
	// if Nix says it.
	System string
	// Failed lists all derivations that failed, with Derivation as the first.
	// Those that could not be built because others failed are not in it.
	Failed []string
	Detail string // everything Nix said, in its words
	// LogCommand is the command that prints the whole log of the build, with its
	// arguments.
	LogCommand []string
}

func (e *BuildError) Error() string {
	return fmt.Sprintf("building %s: %s", store.DerivationName(e.Derivation), e.Reason)
}

// Kind is the sort of a failure, as far as advice depends on it.
type Kind int

const (
	KindOther         Kind = iota
	KindMissingFile        // a file does not exist, as a rule in the flake's source
	KindUntrackedFile      // the file exists, git does not track it
	KindSubmodule          // the file exists, in a git submodule
	KindNested             // the file exists, in another repository inside of the flake's
	KindNoFlake            // no flake where the reference says
	KindNoAttribute        // the flake has no such output
	KindFeature            // an experimental feature is off
	KindUnfree             // a package has an unfree licence
	KindInsecure           // a package is marked as insecure
	KindBroken             // a package is marked as broken
	KindUnsupported        // a package does not exist for the platform
	KindAssertion          // assertions of a NixOS configuration
	KindRecursion          // infinite recursion
	KindOption             // options of a NixOS configuration
	KindSyntax             // syntax error
	KindLockFile           // the lock file does not fit
	KindBadLock            // the lock file is none
	KindNoSpace            // disk full
	KindDaemon             // the daemon cannot be reached
	KindRemote             // another machine's store cannot be reached
	KindSearchPath         // a name in angle brackets leads nowhere
	KindOwner              // git refuses another user's repository
	KindNoGit              // git is not installed
	KindDownload           // a download failed
	KindNoImport           // import from derivation is forbidden
	KindImpure             // needs --impure
	KindBuildUsers         // no users to build as
	KindPermission         // not allowed, as a rule to write the store
	KindSandbox            // no kernel support for the sandbox
	KindSettings           // bad configuration file or NIX_CONFIG
	KindVanished           // a store path was collected; evaluating again may help
	KindCrash              // Nix died of a signal
	KindBuild              // a builder failed
	KindHashMismatch       // a download has another hash
	KindTimeout            // a build took too long
	KindWrongSystem        // no machine for the derivation's system or features
	KindExecFormat         // the kernel cannot run the builder's programs
	KindBadOutput          // the outputs are not as the derivation says
)

// KindOf returns the kind of the *Error or *BuildError in err.
func KindOf(err error) Kind {
	var failed *Error
	if errors.As(err, &failed) {
		return failed.Kind
	}
	var build *BuildError
	if errors.As(err, &build) {
		return build.Kind
	}
	return KindOther
}

// oneLine makes a line of a message: its first one, and if that announces a
// list, the list.
func oneLine(raw string) string {
	var line string
	for text := range strings.Lines(raw) {
		text = strings.TrimSpace(text)
		switch {
		case text == "":
		case line == "":
			line = text
		case strings.HasSuffix(line, ":"):
			line += " " + strings.TrimPrefix(text, "- ")
		case strings.HasPrefix(text, "- "):
			line += "; " + strings.TrimPrefix(text, "- ")
		default:
			return line
		}
	}
	return line
}
