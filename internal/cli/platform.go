package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/progress"
)

// askingTask is the step that finds out what is missing.
const askingTask = "asking what is to be built"

// checkPlatform finds out before anything is built whether it can be: programs of
// another platform need a machine for it, or emulation. Its error is a
// *nix.PlatformError. What is downloaded needs neither, so Nix is asked what is left
// to build where it matters.
func (s *session) checkPlatform(ctx context.Context) error {
	platform := s.plan.System.BuildPlatform
	by, told, err := s.nix.Builder(ctx, platform)
	var nobody *nix.PlatformError
	switch {
	case err != nil && !errors.As(err, &nobody):
		return err
	case nobody == nil && !told:
		return nil
	}
	asking := progress.Begin(s.app.console, askingTask, "")
	missing, err := s.missing(ctx)
	asking.End(nil)
	if err != nil {
		return err
	}
	derivations, err := s.nix.ForPlatform(ctx, missing.Build, platform)
	if err != nil || len(derivations) == 0 {
		return err
	}
	if nobody != nil {
		nobody.Derivations = derivations
		return nobody
	}
	if by == nix.Emulation {
		s.app.console.line(fmt.Sprintf("Nix does not know that %s is emulated here, and is told: --option extra-platforms", platform))
	}
	return nil
}

// builder says who builds for the platform that packages are built on.
func (s *session) builder(ctx context.Context) (string, error) {
	by, _, err := s.nix.Builder(ctx, s.plan.System.BuildPlatform)
	var nobody *nix.PlatformError
	if err != nil && !errors.As(err, &nobody) {
		return "", err
	}
	return map[nix.BuildsBy]string{
		nix.Nobody:         "nobody",
		nix.ThisMachine:    "this machine",
		nix.AnotherMachine: "another machine",
		nix.Emulation:      "emulation",
	}[by], nil
}
