package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/testterminal"
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
	person, program := testterminal.Open(t)
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
			return outcome{cmd.ProcessState.ExitCode(), "", term.all(t)}
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

// echoes reports whether the terminal shows what is typed.
func (term *terminal) echoes(t testing.TB) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(term.program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// TestPassphrase types a passphrase, which nothing shows, and interrupts the question for one.
func TestPassphrase(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	judge(t, "openssh-client", "ssh-keygen", "-q", "-t", "ed25519", "-N", "correct horse", "-f", key)
	for name, test := range map[string]struct {
		typed, want string
		signal      os.Signal
		status      int
	}{
		"wrong":       {typed: "battery staple\n", want: "the passphrase does not open the key", status: 1},
		"interrupted": {signal: os.Interrupt, want: "interrupted", status: 130},
	} {
		t.Run(name, func(t *testing.T) {
			term := newTerminal(t)
			cmd := call{}.command(t, "iso", ".#a", "--sign", key)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = term.program, term.program, term.program
			cmd.Env = append(cmd.Env, "TERM=xterm")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for deadline := time.Now().Add(patience); term.echoes(t); pause() {
				if time.Now().After(deadline) {
					t.Fatalf("the terminal shows what is typed, and\n%s", term.shown.String())
				}
			}
			if _, err := term.WriteString(test.typed); err != nil {
				t.Fatal(err)
			}
			if test.signal != nil {
				if err := cmd.Process.Signal(test.signal); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-ended:
			case <-time.After(patience):
				t.Fatalf("the program does not end; the terminal shows\n%s", term.shown.String())
			}
			time.Sleep(100 * time.Millisecond) // for what is on its way to the screen
			shown := term.shown.String()
			if cmd.ProcessState.ExitCode() != test.status || !strings.Contains(shown, test.want) || !strings.Contains(shown, "Passphrase of "+key) {
				t.Errorf("status %d, want %d with %q\n%s", cmd.ProcessState.ExitCode(), test.status, test.want, shown)
			}
			if strings.Contains(shown, "staple") || !term.echoes(t) {
				t.Errorf("what is typed is shown, or the terminal is left without: echo %t\n%s", term.echoes(t), shown)
			}
		})
	}
}
