package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// running is a run of the program that a test interferes with.
type running struct {
	cmd            *exec.Cmd
	stdout, stderr watched
	done           chan error
}

// watched is what a program has printed so far.
type watched struct {
	sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.Lock()
	defer w.Unlock()
	return w.text.String()
}

// patience is how long a test waits for something that should take seconds at
// most, on a machine that may be busy.
const patience = 3 * time.Minute

// start starts the program in a process group of its own.
func (c call) start(t testing.TB, args ...string) *running {
	t.Helper()
	r := &running{cmd: c.command(t, args...), done: make(chan error, 1)}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.WaitDelay = patience
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.done <- r.cmd.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) })
	return r
}

// waitFor waits until the program has said something, and is still at work.
func (r *running) waitFor(t testing.TB, text string) {
	t.Helper()
	r.waitUntil(t, text, func() bool { return strings.Contains(r.stderr.String(), text) })
}

// waitUntil waits until something is so while the program is at work.
func (r *running) waitUntil(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !so() {
		select {
		case err := <-r.done:
			t.Fatalf("the program ended before %q: %v\n%s", what, err, r.stderr.String())
		case <-deadline:
			t.Fatalf("no %q; the program said\n%s", what, r.stderr.String())
		case <-time.After(time.Millisecond):
		}
	}
}

// signal sends a signal to the program alone, not to those that it started.
func (r *running) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(r.cmd.Process.Pid, s); err != nil {
		t.Fatal(err)
	}
}

// wait waits for the end.
func (r *running) wait(t testing.TB) outcome {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		t.Fatalf("the program does not end; it said\n%s", r.stderr.String())
	}
	return outcome{r.cmd.ProcessState.ExitCode(), r.stdout.String(), r.stderr.String()}
}

// checkAlone reports processes of the group of the program that outlived it.
func (r *running) checkAlone(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, 0); err == nil {
		t.Error("a process of the program's group is left")
	}
}

// processes counts those with a text in their command line.
func processes(t testing.TB, text string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		// A process may end meanwhile.
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(text)) {
			n++
		}
	}
	return n
}
