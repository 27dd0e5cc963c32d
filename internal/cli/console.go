package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/console"
	"github.com/livebuild/livebuild/internal/nix"
)

func newConsole(w io.Writer) *console.Console {
	return console.New(w, console.Options{
		Dumb:    os.Getenv("TERM") == "dumb",
		Actions: os.Getenv("GITHUB_ACTIONS") == "true", // docs.github.com/actions, "Variables"
		Words:   words,
		Advice:  adviceOn,
	})
}

// explain is what is known of an error.
func explain(err error) console.Explanation {
	e := console.Explanation{Hint: hintFor(err)}
	if failed, ok := errors.AsType[*nix.Error](err); ok {
		e.Detail = failed.Detail
	}
	if build, ok := errors.AsType[*nix.BuildError](err); ok {
		e.Log, e.Detail = build.Log, build.Detail
	}
	return e
}

// adviceOn is the advice on what is warned of, or empty if there is none of its own.
func adviceOn(err error) string {
	if hint := hintFor(err); hint != hintFor(errors.New("anything")) {
		return hint
	}
	return ""
}

// progressFlag is the flag that chooses how progress is shown.
type progressFlag struct{ *console.Console }

func (f progressFlag) String() string { return "" } // the default is in the words of the help
func (f progressFlag) Type() string   { return "progress" }

func (f progressFlag) Set(way string) error {
	if !f.Choose(way) {
		return fmt.Errorf("there is no way %q", way)
	}
	return nil
}

// progressVariable is the flag's default, for runs that somebody else calls.
const progressVariable = "LIVEBUILD_PROGRESS"

// chooseDefault chooses what the environment says. Its error is a *face.UsageError.
func chooseDefault(c *console.Console) error {
	if way := os.Getenv(progressVariable); way != "" && !c.Choose(way) {
		return face.Usage(fmt.Errorf("%s needs auto, plain, json or quiet, not %q", progressVariable, way))
	}
	return nil
}
