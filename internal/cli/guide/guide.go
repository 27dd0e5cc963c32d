// Package guide is what tells people how to use the command line: help topics and manual pages.
package guide

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
)

// Group is a heading and the flags below it.
type Group struct {
	Heading string
	Flags   *pflag.FlagSet
}

// Groups are a verb's own flags by their headings, in the order of their first flags.
// Those that are hidden are none.
func Groups(cmd *cobra.Command) []Group {
	list := []Group{{"Flags", newGroup()}}
	byHeading := map[string]*pflag.FlagSet{"": list[0].Flags}
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || flag.Deprecated != "" {
			return
		}
		heading := strings.Join(flag.Annotations[face.HeadingKey], "")
		if byHeading[heading] == nil {
			byHeading[heading] = newGroup()
			list = append(list, Group{heading, byHeading[heading]})
		}
		byHeading[heading].AddFlag(flag)
	})
	return list
}

// newGroup keeps the order in which flags were defined: what matters first.
func newGroup() *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.SortFlags = false
	return f
}

// IsTopic reports whether a command is text to read, and does nothing.
func IsTopic(cmd *cobra.Command) bool { return cmd.Annotations[topicKey] != "" }

// topicKey is the annotation of commands that are topics.
const topicKey = "topic"
