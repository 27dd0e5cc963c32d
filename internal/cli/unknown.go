package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
)

// unknownError says that there is no verb, topic or shell of a name.
type unknownError struct {
	what, name string
	near       []string // whole commands that may be meant
}

func (e *unknownError) Error() string { return fmt.Sprintf("there is no %s %q", e.what, e.name) }

func (e *unknownError) hint() string {
	if len(e.near) == 0 {
		return advice.Usage
	}
	return "perhaps '" + strings.Join(e.near, "' or '") + "' is meant"
}

// suggestions are what a verb is called elsewhere.
var suggestions = map[string][]string{
	"iso":     {"build", "make", "create", "image", "generate"},
	"write":   {"flash", "burn", "dd", "copy"},
	"devices": {"disks", "sticks", "lsblk"},
	"run":     {"start", "boot", "vm", "qemu"},
	"verify":  {"check", "validate"},
	"inspect": {"info", "show"},
	"ls":      {"list"},
	"extract": {"unpack"},
	"fetch":   {"download", "get", "pull"},
	"init":    {"new", "template"},
	"stamp":   {"customize", "customise"},
}

// guess has words that are no verb, topic or shell refused, and says what may be meant.
func guess(root *cobra.Command) {
	root.SuggestionsMinimumDistance = 2
	among := func(cmd *cobra.Command, what, path string) cobra.PositionalArgs {
		return func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			e := &unknownError{what: what, name: args[0]}
			for _, sub := range cmd.Commands() {
				if slices.Contains(sub.SuggestFor, args[0]) {
					e.near = append(e.near, path+" "+sub.Name())
				}
			}
			if e.near != nil {
				return e
			}
			for _, name := range cmd.SuggestionsFor(args[0]) {
				e.near = append(e.near, path+" "+name)
			}
			return e
		}
	}
	root.InitDefaultHelpCmd()
	root.Args = among(root, "verb", "livebuild")
	for _, cmd := range root.Commands() {
		cmd.SuggestFor = suggestions[cmd.Name()]
		switch cmd.Name() {
		case "help":
			unknown := among(root, "verb or topic", "livebuild help")
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				found, rest, err := root.Find(args)
				switch {
				case err == nil && len(rest) == 0:
					return nil
				case err == nil && found != root:
					return face.NoArgs(found, rest)
				}
				return unknown(cmd, args)
			}
		case "completion":
			cmd.SuggestionsMinimumDistance = 2
			cmd.Args = among(cmd, "shell", "livebuild completion")
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = face.NoArgs
			}
		}
	}
}
