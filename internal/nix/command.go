package nix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// How long Nix may take to end after an interrupt before it is killed. It needs
// time to stop its builders. The evaluator has none as a rule, and need not
// notice an interrupt while it computes: Nix 2.8 does not.
const (
	stopDelay     = 20 * time.Second
	evalStopDelay = 3 * time.Second
)

// command is one run of a Nix program.
type command struct {
	program string
	args    []string
	env     []string // all of it
	log     *monitor // reads standard error
}

// outcome is how a Nix program ended.
type outcome struct {
	stdout []byte
	code   int            // exit status, if signal is 0
	signal syscall.Signal // what killed it
	log    *monitor
}

func (o outcome) success() bool { return o.code == 0 && o.signal == 0 }

// crashed reports whether the program died of itself.
func (o outcome) crashed() bool {
	// A shell wrapper around nix reports the signal as 128+n.
	for _, s := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGBUS} {
		if o.signal == s || o.code == 128+int(s) {
			return true
		}
	}
	return false
}

// run runs the command to its end. The error says that it could not be run,
// or that ctx was done; how the program itself ended is in the outcome.
func (c command) run(ctx context.Context) (outcome, error) {
	var stdout bytes.Buffer
	cmd := exec.CommandContext(ctx, c.program, c.args...)
	// Standard input stays /dev/null: on a terminal Nix would ask questions.
	// The process group stays ours: a ^C on the terminal reaches Nix directly.
	cmd.Stdout = &stdout
	cmd.Stderr = c.log
	cmd.Env = c.env
	// After SIGINT Nix stops its builders, after SIGKILL they would live on.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopDelay
	if c.log.state.Phase == Evaluating {
		cmd.WaitDelay = evalStopDelay
	}

	err := cmd.Run()
	c.log.flush()
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	if errors.Is(err, syscall.E2BIG) {
		failed := &ArgumentsError{Program: filepath.Base(c.program)}
		for _, arg := range c.args {
			failed.Longest = max(failed.Longest, len(arg))
		}
		return outcome{}, failed
	}
	var exit *exec.ExitError
	// ErrWaitDelay: Nix ended, a process that it left behind (an ssh master, a
	// git daemon) holds its standard error.
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return outcome{}, fmt.Errorf("running %s: %w", filepath.Base(c.program), err)
	}
	o := outcome{stdout: stdout.Bytes(), code: cmd.ProcessState.ExitCode(), log: c.log}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		o.signal = status.Signal()
	}
	if !o.success() && o.log.interrupted() {
		// The signal reached Nix, and not yet this process.
		return outcome{}, context.Canceled
	}
	return o, nil
}

// command is a run of a Nix program as the options have it.
func (o Options) command(phase Phase, program string, args []string) command {
	return command{program: program, args: args, env: inEnglish(o.Env), log: newMonitor(phase, o)}
}

// inEnglish is an environment in which the messages of git and libc are recognised.
// LANGUAGE selects the messages alone and is ranked above LC_ALL by gettext.
func inEnglish(env []string) []string { return append(slices.Clone(env), "LANGUAGE=C") }

// argumentPaths is how many store paths are given to a program at once: at 255
// bytes each below the 2 MiB that Linux allows for arguments.
const argumentPaths = 5000

// runStore runs nix-store in the store that things are built in, and turns a bad
// end into an error.
func (n *Nix) runStore(ctx context.Context, phase Phase, operation, paths []string) (outcome, error) {
	return n.runStoreIn(ctx, "", phase, operation, paths)
}

// runStoreIn runs nix-store in another store, unless its URL is empty: the
// operation, then the user's flags, then the paths.
func (n *Nix) runStoreIn(ctx context.Context, store string, phase Phase, operation, paths []string) (outcome, error) {
	args := slices.Concat(operation, []string{"--log-format", "internal-json"}, n.flakeConfig, n.options.Flags.Store)
	if store != "" {
		args = append(args, "--store", store) // the last one counts
	}
	args = append(args, paths...)
	o, err := n.options.command(phase, n.nixStore, args).run(ctx)
	if err != nil {
		return o, err
	}
	if !o.success() {
		return o, n.failure(o)
	}
	return o, nil
}
