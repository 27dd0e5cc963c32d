// Package face is what the verbs of the command line have in common: where results go and
// progress is shown, how an image is opened, and errors of usage.
package face

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/console"
	"github.com/livebuild/livebuild/internal/nix"
)

// App is one run of the program.
type App struct {
	In       *os.File
	Out      io.Writer
	Console  *console.Console
	Args     []string // the program was called with
	Version  string   // of the program
	NixFlags nix.Flags
	Tool     string // what the program calls itself on what it makes
}

// UsageError is an error in how livebuild was called.
type UsageError struct {
	Err     error
	Command string // that was called, as "livebuild iso"; "" if that is not known
}

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usage makes an error one of how livebuild was called.
func Usage(err error) error { return &UsageError{Err: err} }

// NoArgs refuses arguments.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("'%s' takes no arguments, and %q is one", cmd.CommandPath(), args[0])
	}
	return nil
}

// Is says whether an error is, or wraps, one of type E.
func Is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// Result is what a verb found out or made. With --json it is an object as its fields
// say, without it is what Text writes for people.
type Result interface{ Text(io.Writer) error }

// Print prints a result on standard output.
func (a *App) Print(r Result, asJSON bool) error {
	if !asJSON {
		return r.Text(a.Out)
	}
	e := json.NewEncoder(a.Out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// Columns is the width of the screen that results go to, or 0 if they go to none.
func (a *App) Columns() int { return console.Columns(a.Out, 0) }

// Teller returns where what is found out on the way is told: on standard output, unless that is for
// JSON.
func (a *App) Teller(json bool) func(string) error {
	if !json {
		return func(line string) error { return a.Console.Result(a.Out, line) }
	}
	return func(line string) error {
		a.Console.Line(line)
		return nil
	}
}

// CheckOne says what is wrong if there is no argument, or several.
func CheckOne(args []string, none, several string) error {
	switch len(args) {
	case 0:
		return errors.New(none)
	case 1:
		return nil
	}
	return fmt.Errorf(several, len(args))
}

// OneImage wants one argument.
func OneImage(_ *cobra.Command, args []string) error {
	return CheckOne(args, "which image? a file is missing", "one image is wanted, not %d")
}

// CacheFolder is livebuild's folder for what can be made again.
func CacheFolder() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(os.TempDir(), fmt.Sprintf("livebuild-%d", os.Getuid()))
	}
	return filepath.Join(cache, "livebuild")
}
