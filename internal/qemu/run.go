package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Watch says what to look for on the console, line by line.
type Watch struct {
	Expect *regexp.Regexp // a line that matches means that the guest came up
	Reject *regexp.Regexp // a line that matches means that it did not; may be nil
	Limit  time.Duration  // how long it may take; 0 for five minutes
	Copy   io.Writer      // receives the console's lines as plain text, its errors are ignored; may be nil
}

const (
	defaultLimit = 5 * time.Minute
	keptLines    = 40              // of the console, for the Verdict
	keptMessage  = 4096            // bytes of QEMU's standard error
	stopGrace    = 5 * time.Second // between asking QEMU to end and killing it

	// settle is how long the console has to be silent before a line without an end is judged:
	// a prompt stays, the first half of a line does not.
	settle = 300 * time.Millisecond
)

// Run starts the machine, watches its console until something is decided, and ends it.
// QEMU has ended when Run returns.
//
// A machine without Accel gets KVM if that works here and TCG otherwise; one with UEFI
// and without Flash gets the host's firmware. The firmware's variables are a temporary copy.
//
// The error is a [ProgramError], a [FirmwareError], a [HostError], or the cause of ctx ending.
func Run(ctx context.Context, m Machine, w Watch) (Verdict, error) {
	program, err := exec.LookPath(m.Program())
	if err != nil {
		return Verdict{}, &ProgramError{Program: m.Program(), Err: err}
	}
	if m.Image != "" {
		if m.Image, err = absolute(m.Image); err != nil {
			return Verdict{}, err
		}
	}
	if m.Accel == "" {
		m.Accel = ChooseAccel(ctx, m.Arch)
	}
	if m.Firmware == UEFI {
		if m.Flash == (Flash{}) {
			if m.Flash, err = FindFirmware(m.Arch, program); err != nil {
				return Verdict{}, err
			}
		}
		dir, err := os.MkdirTemp("", "livebuild-vm-")
		if err != nil {
			return Verdict{}, fmt.Errorf("making room for firmware variables: %w", err)
		}
		defer os.RemoveAll(dir)
		if m.Flash, err = m.Flash.withOwnVars(dir); err != nil {
			return Verdict{}, err
		}
	}
	args, err := m.Args()
	if err != nil {
		return Verdict{}, err
	}
	return run(ctx, program, args, w)
}

// absolute returns the path of an image that exists, in a form that QEMU cannot take for a protocol.
func absolute(image string) (string, error) {
	if _, err := os.Stat(image); err != nil {
		return "", fmt.Errorf("reading image: %w", err)
	}
	path, err := filepath.Abs(image)
	if err != nil {
		return "", fmt.Errorf("locating image %s: %w", image, err)
	}
	return path, nil
}

func run(ctx context.Context, program string, args []string, w Watch) (Verdict, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()

	cmd := exec.CommandContext(running, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopGrace
	detach(cmd)
	message := &tail{limit: keptMessage}
	cmd.Stderr = message
	output := make(chan []byte)
	cmd.Stdout = chunks{output}

	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Verdict{}, &HostError{Program: program, Err: err}
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		close(output)
		ended <- err
	}()

	verdict, decided := w.watch(ctx, output)
	verdict.Duration = time.Since(start)
	stop()
	for range output { // what QEMU still writes must not block it
	}
	err := <-ended

	switch {
	case decided && verdict.Outcome != TimedOut:
		return verdict, nil
	case ctx.Err() != nil:
		return verdict, fmt.Errorf("running %s: %w", program, context.Cause(ctx))
	case strings.Contains(message.String(), "KVM internal error"):
		// QEMU stops the guest then and stays: to the console it looks like a hanging guest.
		return verdict, &HostError{Program: program, Message: message.String(), Err: errors.New("guest stopped")}
	case decided:
		return verdict, nil
	case err != nil:
		return verdict, &HostError{Program: program, Message: message.String(), Err: err}
	}
	verdict.Outcome = PoweredOff
	return verdict, nil
}

// watch reads the console until a line decides or the time is over. It returns false
// if ctx or the console ended before that.
func (w Watch) watch(ctx context.Context, output <-chan []byte) (Verdict, bool) {
	limit := w.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	silence := time.NewTimer(settle)
	defer silence.Stop()

	var text console
	var verdict Verdict
	decides := func(line string) bool {
		outcome, ok := w.judge(line)
		if ok {
			verdict.Outcome, verdict.Line = outcome, line
		}
		return ok
	}
	keep := func(line string) {
		if line == "" {
			return
		}
		verdict.Console = append(verdict.Console, line)
		if len(verdict.Console) > keptLines {
			verdict.Console = verdict.Console[1:]
		}
		if w.Copy != nil {
			fmt.Fprintln(w.Copy, line)
		}
	}
	for {
		select {
		case data, open := <-output:
			if !open {
				keep(text.partial())
				return verdict, decides(text.partial())
			}
			for _, line := range text.write(data) {
				keep(line)
				if decides(line) {
					return verdict, true
				}
			}
			silence.Reset(settle)
		case <-silence.C:
			if decides(text.partial()) {
				keep(text.partial())
				return verdict, true
			}
		case <-deadline.C:
			keep(text.partial())
			verdict.Outcome = TimedOut
			return verdict, true
		case <-ctx.Done():
			keep(text.partial())
			return verdict, false
		}
	}
}

// chunks is a writer that sends what it gets to a channel.
type chunks struct{ to chan<- []byte }

func (c chunks) Write(p []byte) (int, error) {
	c.to <- bytes.Clone(p)
	return len(p), nil
}

// tail is a writer that keeps the last bytes it gets.
type tail struct {
	limit int
	data  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if extra := len(t.data) - t.limit; extra > 0 {
		t.data = append(t.data[:0], t.data[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.data)) }
