package nix

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// quoted matches a quoted text; Nix 2.34 went from 'x' to "x", and nixpkgs
// writes ‘x’.
const quoted = `['"‘“]([^'"’”]+)['"’”]`

// kinds are the kinds of failures by Nix's text, the more special before the
// more general. A group named file is the missing file.
var kinds = compile([]textKind{
	{KindUntrackedFile, `path ` + quoted + ` in the repository ` + quoted + ` is not tracked by git`},
	{KindMissingFile, `/[0-9a-z]{32}-source/(?P<file>[^'"\n]+)['"]:? (?:does not exist|no such file)`},
	{KindMissingFile, `source tree referenced by 'git\+file:[^']*' does not contain a '/(?P<file>[^']+)' file`},
	{KindNoFlake, `could not find a flake\.nix file|is not part of a flake|does not contain a ['"]?/?[^'"]*flake\.nix`},
	{KindNoFlake, `^path ` + quoted + ` does not exist`},
	{KindNoFlake, `cannot find flake '|is not a valid url|getting status of ` + quoted + `: no such file`},
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
	{KindDaemon, `cannot connect to (?:socket|daemon) at|could not connect to any lix socket`},
	{KindOwner, `dubious ownership|is not owned by current user`},
	{KindNoGit, `executing ['"]git['"]: no such file`},
	{KindDownload, `unable to download|failed to fetch git repository|could(?:n't| not) resolve host`},
	{KindNoImport, `allow-import-from-derivation`},
	{KindImpure, `in pure eval(?:uation)? mode|cannot call 'getflake' on unlocked|attribute 'currentsystem' missing`},
	{KindBuildUsers, `the group ` + quoted + ` specified in|has no members`},
	{KindPermission, `big-lock|could not set permissions on|permission denied|operation not permitted`},
	{KindSandbox, `namespaces that are required for sandboxing`},
	{KindVanished, `missing derivation|failed to obtain derivation of|don't know how to build these paths`},
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
func failure(o outcome) error {
	if err := buildFailure(o.log); err != nil {
		return err
	}
	failed := &Error{Detail: detail(o.log.errors)}
	for _, message := range o.log.errors {
		if failed.classify(message.raw) {
			return failed
		}
	}
	switch {
	case o.crashed():
		failed.Kind, failed.Message = KindCrash, fmt.Sprintf("nix crashed (%s)", o.ending())
	case len(o.log.errors) > 0:
		failed.Message = oneLine(final(o.log.errors).raw)
	default:
		failed.Message = fmt.Sprintf("nix failed without a message (%s)", o.ending())
	}
	return failed
}

// final is the error that ended a run, the last one. That git failed is said
// after git has said why.
func final(errors []message) message {
	for _, e := range slices.Backward(errors) {
		if !strings.HasPrefix(e.raw, "program 'git' failed") {
			return e
		}
	}
	return errors[0]
}

func (o outcome) ending() string {
	if o.signal != 0 {
		return o.signal.String()
	}
	return fmt.Sprintf("exit status %d", o.code)
}

func detail(errors []message) string {
	var all []string
	for _, e := range errors {
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
			e.Message = fmt.Sprintf("the source of the flake has no file %q", e.File)
		}
		if e.Kind == KindUntrackedFile {
			e.setUntracked(m[1], m[2])
		}
		return true
	}
	return false
}

// Texts about one derivation. Those of followers ("1 dependencies of
// derivation … failed", "Reason: 1 dependency failed") match none of them.
var (
	// Nix up to 2.28, Lix: "builder for 'x.drv' failed with exit code 1"
	builderFailed = regexp.MustCompile(`(?s)^builder for ` + drv + ` (failed .*)`)
	// Nix from 2.29: "Cannot build 'x.drv'.\nReason: builder failed with exit code 1."
	cannotBuild = regexp.MustCompile(`(?s)^Cannot build ` + drv + `\.\s*Reason: (.*)`)
	// Nix up to 2.29, Lix: the system that is missing
	wrongSystem = regexp.MustCompile(`(?s)^a ['"]([^'"]+)['"] with features (\{.*?\}) is required to build ` + drv)
	// Nix from 2.30: the same in lines
	requiredSystem   = regexp.MustCompile(`(?m)^\s*Required system: ['"]([^'"]+)['"]`)
	requiredFeatures = regexp.MustCompile(`(?m)^\s*Required (?:features:|system: .* with features) (\{.*?\})`)
	hashMismatch     = regexp.MustCompile(`(?s)hash mismatch in fixed-output derivation ` + drv + `.*?specified:\s*(\S+).*?got:\s*(\S+)`)
	timedOut         = regexp.MustCompile(`(?s)` + drv + `.*?(timed out after \d+ seconds[^\n.;]*)`)
	// what the builder made is not what the derivation says
	badOutput = regexp.MustCompile(`(?s)` + drv + `.*?(failed to produce output path(?: for output '[^']*')?|is not allowed to refer to [^\n]*|may not be deterministic)`)
)

const drv = `['"]([^'"\n]+\.drv)(?:[!^][^'"]*)?['"]`

// dependencyFailed is the reason of a follower.
var dependencyFailed = regexp.MustCompile(`^\d+ dependenc`)

// buildFailure makes an error of the first build that failed, or nil.
func buildFailure(log *monitor) error {
	var first *BuildError
	for _, message := range log.errors {
		e := parseBuildFailure(message.raw)
		if e == nil {
			continue
		}
		if first == nil {
			first = e
		}
		if !slices.Contains(first.Failed, e.Derivation) {
			first.Failed = append(first.Failed, e.Derivation)
		}
	}
	if first == nil {
		return nil
	}
	first.Detail = detail(log.errors)
	first.Log = log.logs[first.Derivation]
	if first.Kind == KindBuild {
		first.Kind = cause(first)
	}
	return first
}

// parseBuildFailure reads an error message about the build of a derivation.
func parseBuildFailure(raw string) *BuildError {
	if m := hashMismatch.FindStringSubmatch(raw); m != nil {
		return &BuildError{Kind: KindHashMismatch, Derivation: m[1],
			Reason: fmt.Sprintf("hash mismatch: specified %s, got %s", m[2], m[3])}
	}
	if m := badOutput.FindStringSubmatch(raw); m != nil {
		return &BuildError{Kind: KindBadOutput, Derivation: m[1], Reason: reason(m[2])}
	}
	if m := wrongSystem.FindStringSubmatch(raw); m != nil {
		return wrongSystemError(m[3], m[1], m[2])
	}
	if m := cannotBuild.FindStringSubmatch(raw); m != nil {
		system, features := firstGroup(requiredSystem, m[2]), firstGroup(requiredFeatures, m[2])
		switch {
		case dependencyFailed.MatchString(m[2]):
			return nil
		case system != "" || features != "":
			return wrongSystemError(m[1], system, features)
		}
		return &BuildError{Kind: KindBuild, Derivation: m[1], Reason: reason(m[2])}
	}
	if m := builderFailed.FindStringSubmatch(raw); m != nil {
		return &BuildError{Kind: KindBuild, Derivation: m[1], Reason: "builder " + reason(m[2])}
	}
	if m := timedOut.FindStringSubmatch(raw); m != nil {
		return &BuildError{Kind: KindTimeout, Derivation: m[1], Reason: m[2]}
	}
	return nil
}

func wrongSystemError(drv, system, features string) *BuildError {
	needs := cmp.Or(system, "this system")
	if features != "" && features != "{}" {
		needs += " with features " + features
	}
	return &BuildError{Kind: KindWrongSystem, Derivation: drv, System: system, Reason: "needs a machine for " + needs}
}

// cause looks for the cause of a failed builder where it is known by text.
func cause(e *BuildError) Kind {
	switch log := strings.Join(e.Log, "\n"); {
	case strings.Contains(log, "Exec format error"), strings.Contains(e.Detail, "Exec format error"):
		return KindExecFormat
	case strings.Contains(log, "No space left on device"), strings.Contains(e.Detail, "lack of free disk space"):
		return KindNoSpace
	case strings.Contains(e.Reason, "timed out after"):
		return KindTimeout
	}
	return KindBuild
}

// reason is the first line of a text, without its final punctuation.
func reason(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimRight(line, " .;:")
}

func firstGroup(pattern *regexp.Regexp, text string) string {
	if m := pattern.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
