package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/guide"
	"github.com/livebuild/livebuild/internal/console"
	"github.com/livebuild/livebuild/internal/nix"
)

// helpWidth is that of the help in columns, where it goes to no terminal.
const helpWidth = 100

// usage prints what can be given to a verb.
func (a *app) usage(cmd *cobra.Command) error {
	width := console.Columns(a.Out, helpWidth)
	var b strings.Builder
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() && !cmd.HasParent() {
		line = cmd.CommandPath() + " VERB [flags]"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nVerbs:\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() && !guide.IsTopic(sub) || sub.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
		b.WriteString("\nTopics:\n")
		for _, sub := range cmd.Commands() {
			if guide.IsTopic(sub) {
				fmt.Fprintf(&b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	for _, group := range guide.Groups(cmd) {
		fmt.Fprintf(&b, "\n%s:\n%s", group.Heading, group.Flags.FlagUsagesWrapped(width))
	}
	if cmd.Annotations[face.TakesNixFlags] != "" {
		writeNixFlags(&b)
	}
	if cmd.HasParent() {
		fmt.Fprintf(&b, "\nFlags of every verb:\n%s", cmd.InheritedFlags().FlagUsagesWrapped(width))
	} else {
		fmt.Fprintf(&b, "\n'%[1]s VERB --help' tells more of each, '%[1]s help TOPIC' of a topic.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(a.Out, b.String())
	return err
}

// writeNixFlags lists the flags of Nix.
func writeNixFlags(w io.Writer) {
	fmt.Fprint(w, "\nPassed to Nix:\n")
	for _, f := range nix.PassThrough() {
		short := "    "
		if f.Short != "" {
			short = "-" + f.Short + ", "
		}
		words := strings.Join(append([]string{"--" + f.Name}, f.Args...), " ")
		fmt.Fprintf(w, "  %s%-34s %s\n", short, words, f.Usage)
	}
}
