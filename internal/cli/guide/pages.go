package guide

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/manual"
	"github.com/livebuild/livebuild/internal/nix"
)

// Sections of the manual: man(1).
const (
	commands      = 1
	miscellaneous = 7
)

// Man is the verb that writes the manual, for those who package the program.
func Man() *cobra.Command {
	return &cobra.Command{
		Use:   "man FOLDER",
		Short: "Write the manual pages into a folder",
		Long: `Write the manual pages into FOLDER/man1 and FOLDER/man7, as a folder such as
/usr/share/man has them. Their date is that of the commit that livebuild was built
from, or SOURCE_DATE_EPOCH.`,
		Example: "  livebuild man /usr/local/share/man",
		Hidden:  true,
		Args: func(_ *cobra.Command, args []string) error {
			return face.CheckOne(args, "which folder? one is missing", "one folder is wanted, not %d")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			date, err := date()
			if err != nil {
				return err
			}
			for _, page := range pages(cmd.Root()) {
				page.Date = date
				if err := writePage(args[0], page); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// date is that of the manual.
func date() (string, error) {
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		epoch, err := image.ParseEpoch(text)
		return epoch.UTC().Format(time.DateOnly), err
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if day, _, ok := strings.Cut(s.Value, "T"); ok && s.Key == "vcs.time" {
				return day, nil
			}
		}
	}
	return "", nil
}

func writePage(folder string, page manual.Page) error {
	folder = filepath.Join(folder, "man"+strconv.Itoa(page.Section))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(folder, fmt.Sprintf("%s.%d", page.Name, page.Section)))
	if err != nil {
		return err
	}
	if err := page.WriteRoff(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// pages are those of the program, its verbs and the topics.
func pages(root *cobra.Command) []manual.Page {
	list := []manual.Page{rootPage(root)}
	for _, cmd := range root.Commands() {
		if IsTopic(cmd) || !cmd.IsAvailableCommand() || cmd.Name() == "completion" || cmd.Name() == "help" {
			continue
		}
		list = append(list, verbPage(cmd))
	}
	for _, t := range topics {
		page := newPage(root, root.Name()+"-"+t.name, miscellaneous, t.short)
		page.Blocks = t.blocks()
		if _, headed := page.Blocks[0].(manual.Heading); !headed {
			page.Blocks = append([]manual.Block{manual.Heading("Description")}, page.Blocks...)
		}
		page.Blocks = append(page.Blocks, seeAlso(root.Name()+"(1)")...)
		list = append(list, page)
	}
	return list
}

func newPage(root *cobra.Command, name string, section int, short string) manual.Page {
	return manual.Page{
		Name: name, Section: section, Source: root.Name() + " " + root.Version,
		Short: strings.ToLower(short[:1]) + short[1:],
	}
}

func rootPage(root *cobra.Command) manual.Page {
	page := newPage(root, root.Name(), commands, root.Short)
	page.Blocks = append(page.Blocks, manual.Heading("Synopsis"), manual.Usage(root.Name()+" VERB [flags]"), manual.Heading("Description"))
	page.Blocks = append(page.Blocks, manual.Parse(root.Long)...)
	verbs, also := manual.List{}, []string{}
	for _, cmd := range root.Commands() {
		switch {
		case IsTopic(cmd):
			also = append(also, fmt.Sprintf("%s-%s(%d)", root.Name(), cmd.Name(), miscellaneous))
		case cmd.IsAvailableCommand() && cmd.Name() != "help":
			verbs = append(verbs, manual.Item{Term: cmd.Name(), Text: cmd.Short})
		}
	}
	page.Blocks = append(page.Blocks, manual.Heading("Verbs"), verbs,
		manual.Paragraph("Each has a page of its own, such as "+root.Name()+"-iso(1)."),
		manual.Heading("Flags of every verb"), flags(root.PersistentFlags()))
	page.Blocks = append(page.Blocks, examples(root)...)
	page.Blocks = append(page.Blocks, seeAlso(also...)...)
	return page
}

func verbPage(cmd *cobra.Command) manual.Page {
	root := cmd.Root()
	page := newPage(root, root.Name()+"-"+cmd.Name(), commands, cmd.Short)
	page.Blocks = append(page.Blocks, manual.Heading("Synopsis"), manual.Usage(cmd.UseLine()), manual.Heading("Description"))
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	page.Blocks = append(page.Blocks, manual.Parse(long)...)
	for _, group := range Groups(cmd) {
		if list := flags(group.Flags); len(list) > 0 {
			page.Blocks = append(page.Blocks, manual.Heading(group.Heading), list)
		}
	}
	if cmd.Annotations[face.TakesNixFlags] != "" {
		page.Blocks = append(page.Blocks, manual.Heading("Passed to Nix"), nixFlags())
	}
	page.Blocks = append(page.Blocks, manual.Heading("Flags of every verb"), flags(cmd.InheritedFlags()))
	page.Blocks = append(page.Blocks, examples(cmd)...)
	also := []string{root.Name() + "(1)"}
	for _, t := range topics {
		also = append(also, fmt.Sprintf("%s-%s(%d)", root.Name(), t.name, miscellaneous))
	}
	page.Blocks = append(page.Blocks, seeAlso(also...)...)
	return page
}

func examples(cmd *cobra.Command) []manual.Block {
	if !cmd.HasExample() {
		return nil
	}
	return []manual.Block{manual.Heading("Examples"), manual.Verbatim(cmd.Example)}
}

func seeAlso(pages ...string) []manual.Block {
	return []manual.Block{manual.Heading("See also"), manual.Paragraph(strings.Join(pages, ", "))}
}

// flags are the flags of a set with what they do.
func flags(set *pflag.FlagSet) (list manual.List) {
	set.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || flag.Deprecated != "" {
			return
		}
		argument, usage := pflag.UnquoteUsage(flag)
		item := manual.Item{Term: "--" + flag.Name, Argument: argument, Text: usage}
		if flag.Shorthand != "" {
			item.Term = "-" + flag.Shorthand + ", " + item.Term
		}
		switch flag.DefValue {
		case "", "0", "0s", "[]", "false":
		default:
			if !strings.Contains(usage, "(default") {
				item.Text += " (default: " + flag.DefValue + ")"
			}
		}
		list = append(list, item)
	})
	return list
}

// nixFlags are those that a verb passes on.
func nixFlags() (list manual.List) {
	for _, f := range nix.PassThrough() {
		item := manual.Item{Term: "--" + f.Name, Argument: strings.Join(f.Args, " "), Text: f.Usage}
		if f.Short != "" {
			item.Term = "-" + f.Short + ", " + item.Term
		}
		list = append(list, item)
	}
	return list
}
