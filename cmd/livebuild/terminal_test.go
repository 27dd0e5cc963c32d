package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudoterminal: what a program under test has for a screen and
// a keyboard.
type terminal struct {
	*os.File // the side of the person
	program  *os.File
	shown    watched
}

func newTerminal(t testing.TB) *terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	term := &terminal{File: person, program: program}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := person.Read(b)
			if err != nil {
				return
			}
			_, _ = term.shown.Write(b[:n])
		}
	}()
	return term
}

// run runs the program on the terminal and answers each question, which ends
// with ": ", with the next of the answers.
func (term *terminal) run(t testing.TB, c call, args []string, answers ...string) outcome {
	t.Helper()
	cmd := c.command(t, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.program, term.program, term.program
	cmd.Env = append(cmd.Env, "TERM=xterm")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(patience)
	for {
		select {
		case <-ended:
			time.Sleep(100 * time.Millisecond) // for what is on its way to the screen
			return outcome{cmd.ProcessState.ExitCode(), "", term.shown.String()}
		case <-deadline:
			_ = cmd.Process.Kill()
			t.Fatalf("the program does not end; the terminal shows\n%s", term.shown.String())
		case <-time.After(10 * time.Millisecond):
			if len(answers) > 0 && strings.HasSuffix(term.shown.String(), ": ") {
				if _, err := fmt.Fprintln(term, answers[0]); err != nil {
					t.Fatal(err)
				}
				answers = answers[1:]
			}
		}
	}
}

// pause makes something slow.
func pause() { time.Sleep(20 * time.Millisecond) }
