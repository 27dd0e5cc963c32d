package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	keptMessage = 4096            // bytes of QEMU's standard error
	stopGrace   = 5 * time.Second // between asking QEMU to end and killing it
)

// Run starts the machine, which Complete fills in, watches its console until something is
// decided, and ends it. QEMU has ended when Run returns.
//
// The error is a [ProgramError], a [FirmwareError], a [HostError], or the cause of ctx ending.
func Run(ctx context.Context, m Machine, w Watch) (Verdict, error) {
	m, err := m.Complete(ctx)
	if err != nil {
		return Verdict{}, err
	}
	args, err := m.Args()
	if err != nil {
		return Verdict{}, err
	}
	return run(ctx, m.Program, args, w)
}

// Attend starts the machine, which Complete fills in, and leaves it to the user until it
// ends: nothing is watched. The keys are typed at the boot loader. The guest's console, if it
// is SerialTerminal, uses stdin and stdout.
//
// The error is a [ProgramError], a [FirmwareError], a [HostError], or the cause of ctx ending.
func Attend(ctx context.Context, m Machine, keys []Key, stdin io.Reader, stdout io.Writer) error {
	m, err := m.Complete(ctx)
	if err != nil {
		return err
	}
	args, err := m.Args()
	if err != nil {
		return err
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g := newGuest(running, m.Program, args)
	// In the terminal's foreground, or it could not read from it.
	endWithParent(g.cmd)
	message := &tail{limit: keptMessage}
	g.cmd.Stdin, g.cmd.Stdout, g.cmd.Stderr = stdin, stdout, message
	if err := g.start(); err != nil {
		return err
	}
	typed := g.typeKeys(running, keys, stop)
	err = g.cmd.Wait()
	cause := context.Cause(running) // set if ctx ended, or typing failed
	stop(nil)
	<-typed
	g.control.close()
	switch {
	case cause != nil:
		return fmt.Errorf("running %s: %w", m.Program, cause)
	case err != nil:
		return &HostError{Program: m.Program, Message: message.String(), Err: err}
	}
	return nil
}

// guest is a running QEMU.
type guest struct {
	cmd     *exec.Cmd
	control *control
}

// newGuest prepares a QEMU that is asked to end when ctx does.
func newGuest(ctx context.Context, program string, args []string) *guest {
	cmd := exec.CommandContext(ctx, program, append(args[:len(args):len(args)], controlArgs...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopGrace
	return &guest{cmd: cmd}
}

func (g *guest) start() error {
	control, theirs, err := newControl()
	if err != nil {
		return err
	}
	g.control = control
	g.cmd.ExtraFiles = []*os.File{theirs}
	err = g.cmd.Start()
	theirs.Close()
	if err != nil {
		control.close()
		return &HostError{Program: g.cmd.Path, Err: err}
	}
	return nil
}

// typeKeys begins to talk to QEMU's monitor and to type. The channel is closed when that is
// done. If it cannot be done, fail is called with the reason.
func (g *guest) typeKeys(ctx context.Context, keys []Key, fail func(error)) (done <-chan struct{}) {
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		err := g.control.negotiate()
		if err == nil && len(keys) > 0 {
			err = typeKeys(ctx, g.control, keys)
		}
		if err != nil && len(keys) > 0 && ctx.Err() == nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			fail(fmt.Errorf("typing at the boot loader: %w", err))
		}
	}()
	return finished
}

func run(ctx context.Context, program string, args []string, w Watch) (Verdict, error) {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g := newGuest(running, program, args)
	detach(g.cmd)
	message := &tail{limit: keptMessage}
	g.cmd.Stderr = message
	output := make(chan []byte)
	g.cmd.Stdout = chunks{output}

	start := time.Now()
	if err := g.start(); err != nil {
		return Verdict{}, err
	}
	defer g.control.close()
	ended := make(chan error, 1)
	go func() {
		err := g.cmd.Wait()
		close(output)
		ended <- err
	}()

	typed := g.typeKeys(running, w.Keys, stop)
	verdict, decided := w.watch(running, output, g.control.off)
	verdict.Duration = time.Since(start)
	cause := context.Cause(running) // set if ctx ended, or typing failed
	if decided && !verdict.OK() {
		// Of a QEMU that gives no picture the verdict is as good.
		verdict.Screen, _ = g.control.screenshot()
	}
	stop(nil)
	for range output { // what QEMU still writes must not block it
	}
	err := <-ended
	<-typed

	switch {
	case decided && verdict.Outcome != TimedOut:
		return verdict, nil
	case cause != nil:
		return verdict, fmt.Errorf("running %s: %w", program, cause)
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
