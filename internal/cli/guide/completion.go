package guide

import (
	"bytes"
	_ "embed"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
)

// nushell is the script that completes commands in nushell, which cobra has none for.
//
//go:embed completion.nu
var nushell string

// Completion adds nushell to the shells that a script for completing commands is written for, and has
// that for zsh take installables as they stand.
func Completion(a *face.App, root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "Write a script that completes commands in a shell"
		cmd.Long = `Write a script that completes commands in a shell: verbs, flags and their values,
configurations by asking Nix, images, sticks, compressions with their levels.

'livebuild completion SHELL --help' tells where it goes.`
		for _, shell := range cmd.Commands() {
			if shell.Name() == "zsh" {
				shell.RunE = func(cmd *cobra.Command, _ []string) error { return writeZsh(cmd, a.Out) }
			}
		}
		cmd.AddCommand(&cobra.Command{
			Use:   "nushell",
			Short: "Generate the autocompletion script for nushell",
			Long: `Write the script that completes commands in nushell 0.96 or newer. It keeps another
completer that is set for other commands.

    livebuild completion nushell | save --force ($nu.default-config-dir | path join autoload livebuild.nu)`,
			Args:                  face.NoArgs,
			DisableFlagsInUseLine: true,
			ValidArgsFunction:     cobra.NoFileCompletions,
			RunE: func(*cobra.Command, []string) error {
				_, err := io.WriteString(a.Out, nushell)
				return err
			},
		})
	}
}

// The line of cobra's script for zsh that asks, and what is asked instead. Where zsh completes, its
// option EXTENDED_GLOB is on: # is then an operator of patterns, and ".#x" one that matches nothing
// (zshexpn(1), "Filename Generation"; zshcompsys(1), _comp_options).
const (
	zshAsks  = "$(eval ${requestComp} 2>/dev/null)"
	zshAsked = "$(setopt no_glob; eval ${requestComp} 2>/dev/null)"
)

func writeZsh(cmd *cobra.Command, w io.Writer) error {
	var script bytes.Buffer
	generate := cmd.Root().GenZshCompletion
	if bare, err := cmd.Flags().GetBool("no-descriptions"); err == nil && bare {
		generate = cmd.Root().GenZshCompletionNoDesc
	}
	if err := generate(&script); err != nil {
		return err
	}
	_, err := io.WriteString(w, strings.Replace(script.String(), zshAsks, zshAsked, 1))
	return err
}
