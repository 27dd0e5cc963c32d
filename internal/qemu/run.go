package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/livebuild/livebuild/internal/nbd"
)

const (
	keptMessage = 4096            // bytes of QEMU's standard error
	stopGrace   = 5 * time.Second // between asking QEMU to end and killing it
)

// Run starts the machine, which is complete, watches its console until something is
// decided, and ends it. QEMU has ended when Run returns.
//
// The error is a [HostError], or the cause of ctx ending.
func Run(ctx context.Context, m Machine, w Watch) (Verdict, error) {
	args, err := m.Args()
	if err != nil {
		return Verdict{}, err
	}
	return m.run(ctx, args, w)
}

// Attend starts the machine, which is complete, and leaves it to the user until it
// ends: nothing is watched. The guest's console, if it is SerialTerminal, uses stdin and stdout.
//
// The error is a [HostError], or the cause of ctx ending.
func Attend(ctx context.Context, m Machine, stdin io.Reader, stdout io.Writer) error {
	args, err := m.Args()
	if err != nil {
		return err
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g := newGuest(running, m, args)
	// In the terminal's foreground, or it could not read from it.
	endWithParent(g.cmd)
	message := &tail{limit: keptMessage}
	g.cmd.Stdin, g.cmd.Stdout, g.cmd.Stderr = stdin, stdout, message
	if err := g.start(stop); err != nil {
		return err
	}
	err = g.cmd.Wait()
	cause := context.Cause(running) // set if ctx ended, or the medium could not be read
	stop(nil)
	g.close()
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
	disk    nbd.Disk // or nil
	control *control
	medium  net.Conn // that the disk is served on, or nil
}

// newGuest prepares a QEMU that is asked to end when ctx does.
func newGuest(ctx context.Context, m Machine, args []string) *guest {
	cmd := exec.CommandContext(ctx, m.Program, append(args[:len(args):len(args)], controlArgs...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopGrace
	return &guest{cmd: cmd, disk: m.Served}
}

// start starts QEMU, serves its medium, and begins to listen to its monitor. The guest is to be closed when it
// has ended. If it cannot go on, fail is called with the reason.
func (g *guest) start(fail func(error)) error {
	control, theirs, err := newControl()
	if err != nil {
		return err
	}
	g.control = control
	g.cmd.ExtraFiles = []*os.File{theirs}
	if g.disk != nil {
		var served *os.File
		if g.medium, served, err = socketPair(); err != nil {
			theirs.Close()
			control.close()
			return fmt.Errorf("making a socket for the medium: %w", err)
		}
		g.cmd.ExtraFiles = append(g.cmd.ExtraFiles, served)
	}
	err = g.cmd.Start()
	for _, f := range g.cmd.ExtraFiles {
		f.Close()
	}
	if err != nil {
		g.close()
		return &HostError{Program: g.cmd.Path, Err: err}
	}
	if g.disk != nil {
		go func() {
			if err := nbd.Serve(g.medium, g.disk); err != nil {
				fail(err)
			}
		}()
	}
	go control.negotiate() // without it QEMU only cannot be asked for a picture
	return nil
}

func (g *guest) close() {
	g.control.close()
	if g.medium != nil {
		g.medium.Close()
	}
}

func (m Machine) run(ctx context.Context, args []string, w Watch) (Verdict, error) {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g := newGuest(running, m, args)
	detach(g.cmd)
	message := &tail{limit: keptMessage}
	g.cmd.Stderr = message
	output := make(chan []byte)
	g.cmd.Stdout = chunks{output}

	start := time.Now()
	if err := g.start(stop); err != nil {
		return Verdict{}, err
	}
	defer g.close()
	ended := make(chan error, 1)
	go func() {
		err := g.cmd.Wait()
		close(output)
		ended <- err
	}()

	var screen []byte
	var once sync.Once
	photograph := func() {
		// Of a QEMU that gives no picture the verdict is as good.
		once.Do(func() { screen, _ = g.control.screenshot() })
	}
	verdict, decided := w.watch(running, output, g.control.off, func() {
		photograph()
		g.control.execute("quit", nil, nil)
	})
	verdict.Duration = time.Since(start)
	cause := context.Cause(running) // set if ctx ended, or the medium could not be read
	if decided && !verdict.OK() {
		photograph()
		verdict.Screen = screen
	}
	stop(nil)
	for range output { // what QEMU still writes must not block it
	}
	err := <-ended

	switch {
	case decided && verdict.Outcome != TimedOut:
		return verdict, nil
	case cause != nil:
		return verdict, fmt.Errorf("running %s: %w", m.Program, cause)
	case strings.Contains(message.String(), "KVM internal error"):
		// QEMU stops the guest then and stays: to the console it looks like a hanging guest.
		return verdict, &HostError{Program: m.Program, Message: message.String(), Err: errors.New("guest stopped")}
	case decided:
		return verdict, nil
	case err != nil:
		return verdict, &HostError{Program: m.Program, Message: message.String(), Err: err}
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
