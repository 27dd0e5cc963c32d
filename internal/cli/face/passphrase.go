package face

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// NoPassphraseError says that a key needs a passphrase, and nobody can be asked.
type NoPassphraseError struct{ Key string }

func (e *NoPassphraseError) Error() string {
	return "the key " + e.Key + " needs a passphrase, and standard input is no terminal"
}

// maxPassphrase is more than anyone types, in bytes.
const maxPassphrase = 64 << 10

// Passphrase returns what has the passphrase of a key: the first line of a file or, if none is named,
// who sits at the terminal. Nothing shows it.
func (a *App) Passphrase(ctx context.Context, file string) func(key string) (string, error) {
	return func(key string) (string, error) {
		if file != "" {
			return passphraseIn(file)
		}
		if a.In == nil || !term.IsTerminal(int(a.In.Fd())) {
			return "", &NoPassphraseError{key}
		}
		a.Console.Ask(fmt.Sprintf("Passphrase of %s: ", key))
		return readHidden(ctx, a.In)
	}
}

// passphraseIn reads the first line of a file.
func passphraseIn(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxPassphrase)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// readHidden reads a line that the terminal does not show. Whoever interrupts gets the terminal back as
// it was.
func readHidden(ctx context.Context, terminal *os.File) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	case a := <-answers:
		return string(a.line), a.err
	}
}
