// Package nix drives the Nix command line: it evaluates flakes and expressions,
// realises derivations, and reads closures out of the Nix database.
//
// Supported are Nix 2.8 and newer, Lix, and Determinate Nix. Evaluation uses
// the experimental "nix eval", and "nix copy" moves paths between stores;
// everything else uses nix-store, whose output has been the same in all of them.
// The changing JSON of "nix path-info" and "nix derivation show" is out of scope.
// The package knows nothing about what is built.
//
// References: the Nix reference manual (nix.dev/manual/nix, editions 2.8 to
// 2.35), chapters "Command Reference" and "Store"; the internal-json log
// format is src/libutil/logging.hh of the same releases.
package nix

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Nix is the Nix of this machine: its programs and the options for using
// them. It is not safe for concurrent use. Nothing that it is asked changes how it
// answers the next time; [Nix.With] and [Nix.WithFlags] make another one.
type Nix struct {
	Version Version

	nix, nixStore string // program files
	options       Options
	settings      *settings // read once, by config
	flakeConfig   FlakeConfig
}

// FlakeConfig is the nixConfig of a flake, as flags for nix-store: Nix applies it to
// the evaluation alone. It is empty unless the user accepts it.
type FlakeConfig []string

// With returns a Nix that builds with the settings of a flake, and no other flake's.
func (n *Nix) With(config FlakeConfig) *Nix {
	with := *n
	with.flakeConfig = config
	return &with
}

// WithFlags returns a Nix that passes further flags on to nix-store.
func (n *Nix) WithFlags(store []string) *Nix {
	with := *n
	with.options.Flags.Store = slices.Concat(n.options.Flags.Store, store)
	with.settings = nil
	return &with
}

// Options says how Nix is to be used.
type Options struct {
	// Env is the whole environment of Nix, and of git, as "NAME=value"; of a name that is
	// there twice the last counts. Of this process they get nothing else. Its variables
	// say, as they do to Nix, where store and state are.
	Env []string
	// Flags are the flags that the user passes through to Nix.
	Flags Flags
	// Progress, if set, is called whenever Nix reports that something moved,
	// which can be thousands of times in a second. Calls do not overlap.
	Progress func(Progress)
	// Message, if set, is called for each message Nix prints: warnings,
	// errors, notes, lines of build logs. Calls do not overlap.
	Message func(Message)
}

// getenv is the value of a variable of the environment, or empty.
func (o Options) getenv(name string) string {
	for _, variable := range slices.Backward(o.Env) {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}

// ErrNotFound reports that no Nix is installed, or not on PATH.
var ErrNotFound = errors.New("nix is not on the PATH")

// TooOldError reports a Nix without the features that this package uses.
type TooOldError struct{ Version Version }

func (e *TooOldError) Error() string {
	return fmt.Sprintf("nix %s is too old: 2.8 or newer is needed", e.Version.Number)
}

// Find looks for Nix on the PATH and asks for its version. It returns
// ErrNotFound or a *TooOldError if there is none that can be used.
func Find(ctx context.Context, options Options) (*Nix, error) {
	program, err := exec.LookPath("nix")
	if err != nil {
		return nil, ErrNotFound
	}
	// The nix-store beside nix is of the same version; another one found
	// first on the PATH need not be.
	store := filepath.Join(filepath.Dir(program), "nix-store")
	if _, err := os.Stat(store); err != nil {
		if store, err = exec.LookPath("nix-store"); err != nil {
			return nil, ErrNotFound
		}
	}
	n := &Nix{nix: program, nixStore: store, options: options}
	version := exec.CommandContext(ctx, program, "--version")
	version.Env = inEnglish(options.Env)
	output, err := version.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		failed := &Error{Detail: string(exit.Stderr)}
		failed.classify(failed.Detail)
		failed.Message = program + " does not run: " + strings.TrimPrefix(oneLine(failed.Detail), "error: ")
		return nil, failed
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", program, err)
	}
	n.Version = parseVersion(string(output))
	if !n.Version.atLeast(2, 8) {
		return nil, &TooOldError{Version: n.Version}
	}
	return n, nil
}

// Version is what "nix --version" says.
type Version struct {
	Implementation string // "Nix", "Lix", "Determinate Nix"
	Number         string // "2.35.2"; the upstream version for Determinate Nix

	major, minor int
}

func (v Version) String() string { return v.Implementation + " " + v.Number }

var versionLine = regexp.MustCompile(`(?m)^nix \((Lix|Determinate Nix|Nix)?[^)]*\) (\S+)`)

// parseVersion reads lines like "nix (Nix) 2.8.0", "nix (Lix, like Nix)
// 2.95.3" and "nix (Determinate Nix 3.22.2) 2.35.2". What it cannot read is
// taken for the newest Nix.
func parseVersion(output string) Version {
	m := versionLine.FindStringSubmatch(output)
	if m == nil {
		return Version{Implementation: "Nix"}
	}
	v := Version{Implementation: m[1], Number: m[2]}
	if v.Implementation == "" {
		v.Implementation = "Nix"
	}
	if n := versionNumber.FindStringSubmatch(v.Number); n != nil {
		v.major, _ = strconv.Atoi(n[1])
		v.minor, _ = strconv.Atoi(n[2])
	}
	return v
}

var versionNumber = regexp.MustCompile(`^(\d{1,6})\.(\d{1,6})`)

// atLeast reports whether v is the given version or newer. Lix counts from
// 2.90 and includes everything asked for here.
func (v Version) atLeast(major, minor int) bool {
	if v.major == 0 {
		return true
	}
	return v.major > major || v.major == major && v.minor >= minor
}

// EvalFlags are the flags that the user passes through to evaluations.
func (n *Nix) EvalFlags() []string { return slices.Clone(n.options.Flags.Eval) }
