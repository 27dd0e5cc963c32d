// Package cli is the command line: it assembles the verbs of its rooms, runs one, and decides the
// exit status. It and its rooms are all that reads flags and the environment.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/adapt"
	"github.com/livebuild/livebuild/internal/cli/ask"
	"github.com/livebuild/livebuild/internal/cli/begin"
	"github.com/livebuild/livebuild/internal/cli/create"
	"github.com/livebuild/livebuild/internal/cli/disk"
	"github.com/livebuild/livebuild/internal/cli/examine"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/guide"
	"github.com/livebuild/livebuild/internal/cli/look"
	"github.com/livebuild/livebuild/internal/cli/machine"
	"github.com/livebuild/livebuild/internal/cli/net"
	"github.com/livebuild/livebuild/internal/cli/wire"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/report"
)

// Exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotBooted   = 3   // an image was tried and did not come up
	exitDamaged     = 4   // an image was checked and is damaged
	exitDifferent   = 5   // images differ, where that was asked
	exitInterrupted = 130 // as shells report a process that SIGINT ended
)

// Streams are where a run prints: results to Out, everything else to Err. What
// it asks, it asks on Err, and reads the answer from In if that is a terminal. In is also for
// the serial console of a virtual machine.
type Streams struct {
	In  *os.File
	Out io.Writer
	Err io.Writer
}

// Run runs livebuild with the given arguments, without the program's name, and
// returns the exit status.
func Run(ctx context.Context, args []string, s Streams) int {
	stderr := newConsole(s.Err)
	app := &app{&face.App{In: s.In, Out: s.Out, Console: stderr, Args: args, Tool: tool(), Version: version()}}
	err := chooseDefault(stderr)
	if err == nil {
		err = app.run(ctx, args)
	}
	stderr.Finish()
	var (
		usage     *face.UsageError
		told      *device.ToldError
		notBooted *report.NotBootedError
		damaged   *report.DamagedError
	)
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil, errors.Is(err, context.Canceled):
		stderr.Line("interrupted")
		return exitInterrupted
	case errors.As(err, new(*report.DifferentError)): // which is told
		return exitDifferent
	case errors.As(err, &told):
		return exitFailed
	case errors.As(err, &usage):
		stderr.Report(err, explain(err))
		return exitUsage
	case errors.As(err, &notBooted):
		stderr.Report(err, explain(err))
		return exitNotBooted
	case errors.As(err, &damaged):
		stderr.Report(err, explain(err))
		return exitDamaged
	}
	stderr.Report(err, explain(err))
	return exitFailed
}

// app is one run.
type app struct{ *face.App }

func (a *app) run(ctx context.Context, args []string) error {
	completing := len(args) > 1 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
	if completing {
		var answered bool
		if args, answered = ask.New(a.App).Request(args, slices.Contains(withoutNix, args[1])); answered {
			return nil
		}
	} else if !slices.Contains(withoutNix, verb(args)) {
		var err error
		if a.NixFlags, args, err = nix.ParseFlags(args); err != nil {
			return face.Usage(err)
		}
	}
	root := a.rootCommand()
	if completing {
		for _, cmd := range root.Commands() {
			ask.Prepare(cmd)
		}
	}
	root.SetArgs(args)
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !started {
		err = face.Usage(plainUsage(err))
	}
	if usage, ok := errors.AsType[*face.UsageError](err); ok && cmd != root {
		usage.Command = cmd.CommandPath()
	}
	return err
}

// withoutNix are the verbs that have flags of their own by the names of Nix's.
var withoutNix = []string{"test"}

// verb is the first argument that is no flag.
func verb(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// plainUsage says what is wrong with a flag without the words of Go's parsers.
func plainUsage(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	wanted := map[string]string{"int": "a number", "bool": "true or false", "duration": "a time such as 90s or 2m", "progress": "auto, plain, json or quiet", "size": "a size such as 700M or 2GiB"}[invalid.GetFlag().Value.Type()]
	if wanted == "" {
		return fmt.Errorf("--%s: %w", invalid.GetFlag().Name, errors.Unwrap(invalid))
	}
	return fmt.Errorf("--%s needs %s, not %q", invalid.GetFlag().Name, wanted, invalid.GetValue())
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "livebuild",
		Short: "Make bootable live images of NixOS configurations",
		Long: `livebuild turns a NixOS configuration, of a flake or of a file, into a bootable
live image.

Nix evaluates and builds the configuration; livebuild packs the result: a
compressed store, boot menus for BIOS and UEFI, and an ISO file that starts a
machine as a disc and, copied byte by byte, as a USB stick.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 an image did not boot,
4 an image is damaged, 5 images differ (diff --exit-code), 130 interrupted.`,
		Example: `  livebuild iso .#exampleIso
  livebuild plan .#exampleIso
  livebuild write exampleIso.iso /dev/sdb
  livebuild verify /dev/sdb
  livebuild run .#exampleIso
  livebuild test nixos.iso`,
		Version:            version(),
		SilenceUsage:       true,
		SilenceErrors:      true,
		DisableSuggestions: true, // an error is one line
		RunE:               func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.Out)
	root.SetErr(a.Console)
	root.SetVersionTemplate("livebuild {{.Version}}\n")
	root.PersistentFlags().Var(progressFlag{a.Console}, "progress",
		"show progress as `HOW`: auto, which is live lines on a terminal, plain lines, json, or quiet (default: LIVEBUILD_PROGRESS, else auto)")
	root.PersistentFlags().BoolVarP(a.Console.Verbose(), "verbose", "v", false, "print what Nix prints, and errors in full")
	root.SetUsageFunc(a.usage)
	root.AddCommand(
		a.versionCommand(),
		begin.Init(a.App),
		create.ISO(a.App), create.Plan(a.App),
		disk.Devices(a.App), disk.Write(a.App),
		wire.Fetch(a.App),
		adapt.Stamp(a.App),
		net.Netboot(a.App), net.Serve(a.App), net.Kexec(a.App),
		look.Verify(a.App),
		machine.Run(a.App), machine.Test(a.App),
		look.Inspect(a.App), look.Diff(a.App), look.Ls(a.App), look.Cat(a.App), look.Extract(a.App),
		create.Bench(a.App),
		examine.Doctor(a.App, hintFor),
		disk.Open(a.App),
		guide.Man(),
	)
	root.AddCommand(guide.Topics(a.App)...)
	guide.Completion(a.App, root)
	guess(root)
	asker := ask.New(a.App)
	for _, cmd := range root.Commands() {
		asker.Fill(cmd)
		asker.Complete(cmd)
	}
	asker.Complete(root)
	for _, cmd := range append(root.Commands(), root) {
		cmd.Flags().SortFlags = false // what matters first
	}
	return root
}
