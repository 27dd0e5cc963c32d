package nix

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// quoted matches a quoted text; Nix 2.34 went from 'x' to "x", and nixpkgs
// writes ‘x’.
const quoted = `['"‘“]([^'"’”]+)['"’”]`

// kinds are the kinds of failures by Nix's text, the more special before the
// more general. Groups named file and repository are those of the error.
var kinds = compile([]textKind{
	{KindUntrackedFile, `path ` + quoted + ` in the repository ` + quoted + ` is not tracked by git`},
	{KindMissingFile, `/[0-9a-z]{32}-source/(?P<file>[^'"\n]+)['"]:? (?:does not exist|no such file)`},
	{KindMissingFile, `source tree referenced by 'git\+file:[^']*' does not contain a '/(?P<file>[^']+)' file`},
	{KindNoFlake, `could not find a flake\.nix file|is not part of a flake|does not contain a ['"]?/?[^'"]*flake\.nix`},
	{KindNoFlake, `cannot find flake '|is not a valid url`},
	{KindMissingFile, `(?:getting status of|^path) ['"](?P<file>/[^'"]+)['"]:? (?:does not exist|no such file)`},
	{KindNoAttribute, `does not provide attribute`},
	{KindFeature, `experimental (?:nix |lix )?feature ` + quoted + ` is disabled`},
	{KindUnfree, `has an unfree license`},
	{KindInsecure, `is marked as insecure`},
	{KindBroken, `is marked as broken`},
	{KindUnsupported, `is not available on the requested hostplatform`},
	{KindAssertion, `failed assertions:`},
	{KindRecursion, `infinite recursion encountered|stack overflow`},
	{KindOption, `the option .* does not exist|is not of type|has conflicting definition values`},
	{KindOption, `the option .* is used but not defined|the option .* is read-only`},
	{KindSettings, `illegal configuration line|syntax error in configuration line`},
	{KindSyntax, `^syntax error`},
	{KindLockFile, `requires lock file changes|cannot write modified lock file|/flake\.lock`},
	{KindLockFile, `nar hash mismatch in input|mismatch in field 'narhash'|'lastmodified' attribute mismatch`},
	{KindNoSpace, `no space left on device|database or disk is full|lack of free disk space`},
	{KindRemote, `failed to start ssh connection|cannot open connection to remote store|cannot connect to ['"][^'"]+['"]`},
	{KindDaemon, `cannot connect to (?:socket|daemon) at|could not connect to any lix socket`},
	{KindOwner, `dubious ownership in repository at ['"](?P<repository>[^'"]+)['"]|dubious ownership`},
	{KindOwner, `repository path ['"](?P<repository>[^'"]+)['"] is not owned by current user|is not owned by current user`},
	{KindNoGit, `executing ['"]git['"]: no such file`},
	{KindDownload, `some substitutes for the outputs of|unable to download|failed to fetch git repository|could(?:n't| not) resolve host`},
	{KindNoImport, `allow-import-from-derivation`},
	{KindSearchPath, `was not found in the nix search path`},
	{KindImpure, `in pure eval(?:uation)? mode|cannot call 'getflake' on unlocked|attribute 'currentsystem' missing`},
	{KindBuildUsers, `the group ` + quoted + ` specified in|has no members`},
	{KindPermission, `big-lock|could not set permissions on|permission denied|operation not permitted`},
	{KindSandbox, `namespaces that are required for sandboxing`},
	{KindVanished, `there is no substituter that can build it|missing derivation|failed to obtain derivation of|don't know how to build these paths`},
	{KindVanished, `path ` + quoted + ` (?:is not valid|does not exist in the lix database)`},
})

type textKind struct {
	kind Kind
	text string // regular expression; matched regardless of case
}

type classifier struct {
	kind    Kind
	pattern *regexp.Regexp
}

func compile(table []textKind) []classifier {
	var compiled []classifier
	for _, t := range table {
		compiled = append(compiled, classifier{t.kind, regexp.MustCompile(`(?is)` + t.text)})
	}
	return compiled
}

// failure makes an error of what Nix said before it ended badly: a
// *BuildError or an *Error.
func (n *Nix) failure(o outcome) error {
	if err := buildFailure(o.log); err != nil {
		err.LogCommand = n.logCommand(err.Derivation)
		return err
	}
	failed := &Error{Detail: detail(o.log.errors)}
	for _, r := range causes(o.log.errors) {
		if failed.classify(r.raw) {
			return failed
		}
	}
	switch {
	case o.crashed():
		failed.Kind, failed.Message = KindCrash, fmt.Sprintf("nix crashed (%s)", o.ending())
	case len(o.log.errors) > 0:
		failed.Message = oneLine(causes(o.log.errors)[0].raw)
	default:
		failed.Message = fmt.Sprintf("nix failed without a message (%s)", o.ending())
	}
	return failed
}

// follower is an error that says only that another one came before.
var follower = regexp.MustCompile(`^program 'git' failed|^build of .* failed|^\d+ dependenc|Reason: \d+ dependenc`)

// causes are the errors that may have ended a run: the last one, since Nix goes
// on after the others, and those before it if it is a follower.
func causes(reports []report) []report {
	for i, r := range slices.Backward(reports) {
		if !follower.MatchString(r.raw) {
			return reports[i:]
		}
	}
	return reports
}

func (o outcome) ending() string {
	if o.signal != 0 {
		return o.signal.String()
	}
	return fmt.Sprintf("exit status %d", o.code)
}

func detail(reports []report) string {
	var all []string
	for _, e := range reports {
		all = append(all, e.full)
	}
	return strings.Join(all, "\n")
}

// classify takes the message if its kind is known.
func (e *Error) classify(raw string) bool {
	for _, c := range kinds {
		m := c.pattern.FindStringSubmatch(raw)
		if m == nil {
			continue
		}
		e.Kind, e.Message = c.kind, oneLine(raw)
		if i := c.pattern.SubexpIndex("file"); i > 0 {
			e.File = m[i]
		}
		if i := c.pattern.SubexpIndex("repository"); i > 0 {
			e.Repository = m[i]
		}
		if e.Kind == KindUntrackedFile {
			e.setUntracked(m[1], m[2])
		}
		return true
	}
	return false
}
