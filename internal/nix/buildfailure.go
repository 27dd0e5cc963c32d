package nix

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Texts about one derivation. Those of followers ("1 dependencies of
// derivation … failed", "Reason: 1 dependency failed") match none of them.
var (
	// Nix up to 2.28, Lix: "builder for 'x.drv' failed with exit code 1"
	builderFailed = regexp.MustCompile(`(?s)^builder for ` + quotedDrv + ` (failed .*)`)
	// Nix from 2.29: "Cannot build 'x.drv'.\nReason: builder failed with exit code 1."
	cannotBuild = regexp.MustCompile(`(?s)^Cannot build ` + quotedDrv + `\.\s*Reason: (.*)`)
	// Nix up to 2.29, Lix: the system that is missing
	wrongSystem = regexp.MustCompile(`(?s)^a ['"]([^'"]+)['"] with features (\{.*?\}) is required to build ` + quotedDrv)
	// Nix from 2.30: the same in lines
	requiredSystem   = regexp.MustCompile(`(?m)^\s*Required system: ['"]([^'"]+)['"]`)
	requiredFeatures = regexp.MustCompile(`(?m)^\s*Required (?:features:|system: .* with features) (\{.*?\})`)
	hashMismatch     = regexp.MustCompile(`(?s)hash mismatch in fixed-output derivation ` + quotedDrv + `.*?specified:\s*(\S+).*?got:\s*(\S+)`)
	timedOut         = regexp.MustCompile(`(?s)` + quotedDrv + `.*?(timed out after \d+ seconds[^\n.;]*)`)
	// what the builder made is not what the derivation says
	badOutput = regexp.MustCompile(`(?s)` + quotedDrv + `.*?(failed to produce output path(?: for output '[^']*')?|is not allowed to refer to [^\n]*|may not be deterministic)`)
)

const quotedDrv = `['"]([^'"\n]+\.drv)(?:[!^][^'"]*)?['"]`

// dependencyFailed is the reason of a follower.
var dependencyFailed = regexp.MustCompile(`^\d+ dependenc`)

// buildFailure makes an error of the first build that failed, or nil.
func buildFailure(log *monitor) *BuildError {
	var first *BuildError
	for _, r := range log.errors {
		e := parseBuildFailure(r.raw)
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

// logCommand is the command that prints the whole log of a build.
func (n *Nix) logCommand(drv string) []string {
	command := []string{"nix-store", "--read-log", drv}
	flags := n.options.Flags.Store
	if i := slices.Index(flags, "--store"); i >= 0 && i+1 < len(flags) {
		command = append(command, "--store", flags[i+1])
	}
	return command
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
