package ask

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// words are how a word on the command line can go on. A word may have a description behind a tab.
type words func(ctx context.Context, cmd *cobra.Command, word string) ([]string, cobra.ShellCompDirective)

// files are those that the shell knows, with these extensions or with any.
func files(extensions ...string) words {
	return func(context.Context, *cobra.Command, string) ([]string, cobra.ShellCompDirective) {
		if len(extensions) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return extensions, cobra.ShellCompDirectiveFilterFileExt
	}
}

// fixed are words that are always the same.
func fixed(list ...string) words {
	return func(context.Context, *cobra.Command, string) ([]string, cobra.ShellCompDirective) {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// imageFiles are files that are images, as a rule.
var imageFiles = files("iso", "img", "raw", "zst", "xz", "gz")

// flagWords are how the values of flags go on, whichever verb has them.
func (a *Asker) flagWords() map[string]words {
	var modes []string
	for _, mode := range medium.AllModes() {
		modes = append(modes, string(mode))
	}
	return map[string]words{
		"compression": compressions,
		"reuse":       reuse,
		"serial":      serials,
		"write":       writable,
		"file":        files("nix"),
		"module":      files("nix"),
		"ssh-key":     files("pub"),
		"modes":       fixed(modes...),
		"seed":        imageFiles,
		"values":      files("toml"),
		"map":         files("html", "svg"),
		"sbom":        fixed("spdx", "cyclonedx"),
		"display":     fixed("gtk", "vnc", "none"),
		"progress":    fixed("auto\tlive lines on a terminal, plain ones elsewhere", "plain\tlines", "json\ta line of JSON for each event", "quiet\twhat is wrong alone"),
		"for":         fixed("iso", "run", "test", "write"),
	}
}

// namesFile matches what help texts call the values of flags that are files.
var namesFile = regexp.MustCompile(`FILE|FOLDER|KEY|STORE|SRC|IMAGE`)

// Complete has shells told how a verb's arguments and the values of its flags go on.
func (a *Asker) Complete(cmd *cobra.Command) {
	if kinds := wanted[cmd.Name()]; kinds != nil {
		last := kinds[len(kinds)-1]
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			switch n := len(args); {
			case n < len(kinds):
				return a.argument(cmd.Context(), cmd, kinds[n], args, word)
			case last&more != 0: // each once
				list, directive := a.argument(cmd.Context(), cmd, last, args, word)
				return slices.DeleteFunc(list, func(line string) bool {
					word, _, _ := strings.Cut(line, "\t")
					return slices.Contains(args, word)
				}), directive
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
	known := a.flagWords()
	describe := func(flag *pflag.Flag) {
		if flag.Value.Type() == "bool" {
			return
		}
		of, ok := known[flag.Name]
		if _, has := cmd.GetFlagCompletionFunc(flag.Name); has {
			return
		}
		if what, _ := pflag.UnquoteUsage(flag); !ok && !namesFile.MatchString(what) {
			of, ok = fixed(), true // a number, a name
		}
		if ok {
			_ = cmd.RegisterFlagCompletionFunc(flag.Name, func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
				return of(cmd.Context(), cmd, word)
			}) // fails only for a flag that is not there, or twice
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(describe)
	cmd.PersistentFlags().VisitAll(describe)
}

// argument is how one goes on that can be of some kinds.
func (a *Asker) argument(ctx context.Context, cmd *cobra.Command, what kind, args []string, word string) ([]string, cobra.ShellCompDirective) {
	switch what &^= attributes; what {
	case inside:
		return paths(ctx, args[0], word)
	case address:
		return []string{"https://"}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	case folder:
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	if what&disk != 0 && (what == disk || strings.HasPrefix(word, "/dev")) {
		if what == disk {
			return writable(ctx, cmd, word)
		}
		return readable(ctx, cmd, word)
	}
	if what&configuration != 0 {
		if list := a.configurations(ctx, cmd, word); len(list) > 0 {
			if what&image != 0 && word == "" {
				for _, c := range images(".") {
					list = append(list, c.word+"\t"+c.item.Detail)
				}
			}
			return list, cobra.ShellCompDirectiveNoFileComp
		}
		if what == configuration { // a folder, or a Nix file
			return nil, cobra.ShellCompDirectiveDefault
		}
	}
	return imageFiles(ctx, cmd, word)
}

// configurations are those of the flake that a word begins with, asked of Nix; of the flake here, if
// there is no word yet.
func (a *Asker) configurations(ctx context.Context, cmd *cobra.Command, word string) (list []string) {
	flags := a.app.NixFlags.With("no-write-lock-file")
	if file := cmd.Flags().Lookup("file"); file != nil && file.Changed {
		of, err := installable.OfFile(file.Value.String(), "")
		if err != nil {
			return nil
		}
		list := slices.DeleteFunc(a.names.of(ctx, of, flags), func(name string) bool { return !printable(name) })
		if len(list) == 1 && list[0] == of.FileName() { // of the file's only one
			return nil
		}
		return list
	}
	ref, _, named := strings.Cut(word, "#")
	switch {
	case named:
	case word == "" || word == ".":
		if ref = "."; !flakeHere() {
			return nil
		}
	default:
		if _, err := os.Stat(filepath.Join(word, "flake.nix")); err != nil {
			return nil
		}
	}
	of, err := installable.Parse(ref)
	if err != nil {
		return nil
	}
	for _, name := range a.names.of(ctx, of, flags) {
		if text, ok := installableOf(ref, name); ok {
			list = append(list, text)
		}
	}
	return list
}

// compressions are the compressors, and behind the colon the levels.
func compressions(_ context.Context, _ *cobra.Command, word string) ([]string, cobra.ShellCompDirective) {
	var list []string
	for _, r := range codec.Ranges() {
		levels := "no levels"
		if r.Max > 0 {
			levels = fmt.Sprintf("levels %d to %d, by default %d", r.Min, r.Max, r.Default)
		}
		if r.Name == codec.XZ {
			levels += "; with -Xbcj native for machine code"
		}
		if !strings.HasPrefix(word, r.Name+":") {
			list = append(list, r.Name+"\t"+levels)
			continue
		}
		for level := r.Min; r.Max > 0 && level <= r.Max; level++ {
			text := fmt.Sprintf("%s:%d", r.Name, level)
			if level == r.Default {
				text += "\tby default"
			}
			list = append(list, text)
		}
		if r.Name == codec.LZ4 {
			list = append(list, "lz4:hc\tthe highest")
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// reuse is what --reuse takes: words, and images.
func reuse(ctx context.Context, cmd *cobra.Command, word string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(word, "/") {
		return imageFiles(ctx, cmd, word)
	}
	list := []string{"auto\tthe file to be replaced, or one built before", "none\tpack all afresh"}
	for _, c := range images(".") {
		list = append(list, c.word+"\t"+c.item.Detail)
	}
	return list, cobra.ShellCompDirectiveDefault
}

// disksBy are words for the sticks of this machine.
func disksBy(word func(device.Disk) string) ([]string, cobra.ShellCompDirective) {
	disks, err := device.Local().Disks()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list []string
	for _, d := range disks {
		if name := word(d); name != "" {
			list = append(list, name+"\t"+report.Sketch(d))
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// writable are the sticks that nothing speaks against.
func writable(context.Context, *cobra.Command, string) ([]string, cobra.ShellCompDirective) {
	return disksBy(func(d device.Disk) string {
		if d.Check() != nil || !d.Stick() {
			return ""
		}
		return d.Path
	})
}

// readable are all sticks.
func readable(context.Context, *cobra.Command, string) ([]string, cobra.ShellCompDirective) {
	return disksBy(func(d device.Disk) string {
		if !d.Stick() {
			return ""
		}
		return d.Path
	})
}

// serials are the numbers of disks that may be written.
func serials(context.Context, *cobra.Command, string) ([]string, cobra.ShellCompDirective) {
	return disksBy(func(d device.Disk) string {
		if d.Check() != nil {
			return ""
		}
		return d.Serial
	})
}

// Request reads a shell's question how a command line goes on: the flags of Nix, which cobra does not
// know, are taken out of what is there already. Of a flag of Nix whose value is being typed nothing
// is known, and the answer is given at once.
func (a *Asker) Request(args []string, ownFlags bool) (rest []string, answered bool) {
	if ownFlags || len(args) < 2 {
		return args, false
	}
	last := len(args) - 1
	flags, rest, err := nix.ParseFlags(args[:last])
	if err != nil {
		_, err := fmt.Fprintf(a.app.Out, ":%d\n", cobra.ShellCompDirectiveDefault)
		return nil, err == nil
	}
	a.app.NixFlags = flags
	return append(slices.Clone(rest), args[last]), false
}

// Prepare has a verb know the names of Nix's flags, for nothing but their completion, and describe
// its own without the marks of what a help text calls their values.
func Prepare(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { flag.Usage = strings.ReplaceAll(flag.Usage, "`", "") })
	if cmd.Annotations[face.TakesNixFlags] == "" {
		return
	}
	for _, flag := range nix.PassThrough() {
		if cmd.Flags().Lookup(flag.Name) == nil {
			cmd.Flags().Bool(flag.Name, false, flag.Usage)
		}
	}
}
