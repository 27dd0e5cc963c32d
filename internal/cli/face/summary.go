package face

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// Summary is a file that gets a result in Markdown, behind what is there: that is how GitHub
// Actions takes what several commands of a step have to say (GITHUB_STEP_SUMMARY).
type Summary struct{ path string }

// AddFlag adds the flag that names the file.
func (s *Summary) AddFlag(f *pflag.FlagSet) {
	f.StringVar(&s.path, "summary", "", "append a summary in Markdown to `FILE`, as to \"$GITHUB_STEP_SUMMARY\"")
}

// Wanted reports whether a file is named.
func (s Summary) Wanted() bool { return s.path != "" }

// SummaryError says that a summary cannot be written.
type SummaryError struct {
	Path string
	Err  error
}

func (e *SummaryError) Error() string {
	return fmt.Sprintf("writing the summary to %s: %v", e.Path, e.Err)
}
func (e *SummaryError) Unwrap() error { return e.Err }

// Check finds out before any work whether the file can be written, and leaves nothing behind.
func (s Summary) Check() error {
	if s.path == "" {
		return nil
	}
	what := s.path
	info, err := os.Stat(what)
	if errors.Is(err, fs.ErrNotExist) {
		what = filepath.Dir(what)
	}
	if err == nil && info.IsDir() {
		err = unix.EISDIR
	} else {
		err = unix.Access(what, unix.W_OK)
	}
	if err != nil {
		return &SummaryError{s.path, err}
	}
	return nil
}

// Write adds a result, if a file is named.
func (s Summary) Write(r interface{ Markdown(io.Writer) error }) error {
	if s.path == "" {
		return nil
	}
	f, err := os.OpenFile(s.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(r.Markdown(f), f.Close())
}
