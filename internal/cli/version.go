package cli

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// release is a version such as "0.1.0", revision a commit. Those who build without git, as
// distributions do, set them: -ldflags "-X github.com/livebuild/livebuild/internal/cli.release=…".
var release, revision string

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and which libraries compress",
		Long: `Print the version, as --version does, and the libraries that compress, on which
the bytes of an image depend. Built without cgo, livebuild has compressors in Go
alone: they pack less densely, and there is none for xz.`,
		Example: "  livebuild version",
		Args:    face.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.Out, "livebuild %s\n%s\n", version(), compressions())
			return err
		},
	}
}

// version is what was set, or else what the Go tools recorded: the module's version, or the
// commit that the program was built from.
func version() string {
	name, commit := release, revision
	info, ok := debug.ReadBuildInfo()
	if name == "" && ok {
		name = info.Main.Version
	}
	if name == "" || name == "(devel)" {
		name = "development"
	}
	if commit == "" && ok {
		commit = vcsRevision(info.Settings)
	}
	if commit == "" {
		return name
	}
	return name + " (" + commit + ")"
}

// vcsRevision is the commit that the program was built from, in twelve digits.
func vcsRevision(settings []debug.BuildSetting) string {
	for _, s := range settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return ""
}

// compressions says what compresses by which library, and what does not.
func compressions() string {
	var can, cannot []string
	for _, library := range codec.Libraries() {
		if library.Refusal != nil {
			cannot = append(cannot, library.Refusal.Error())
			continue
		}
		can = append(can, library.Compression+" by "+library.Name)
	}
	return strings.Join(append([]string{"compresses " + strings.Join(can, ", ")}, cannot...), "\n")
}

// tool is what the program calls itself on what it makes.
func tool() string { return "livebuild " + version() }
