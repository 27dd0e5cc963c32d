package nix

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// maxArgument is how long an expression may be as an argument of a program. Linux
// takes 128 KiB, a final zero included (MAX_ARG_STRLEN in linux/binfmts.h, which is
// 32 pages of at least 4 KiB).
const maxArgument = 128<<10 - 1

// ArgumentsError reports that Nix cannot be called because what it has to be told
// is more than the system takes as arguments of a program.
type ArgumentsError struct {
	Program string // "nix"
	Longest int    // bytes of the longest argument
}

func (e *ArgumentsError) Error() string {
	return fmt.Sprintf("%s cannot be called: its arguments are too long, one of them %d bytes", e.Program, e.Longest)
}

// asArgument returns an expression of the same value that is short enough for an
// argument: text itself, or one that reads it from a file, which remove removes
// after the evaluation.
func asArgument(text string, read func(file, hash string) string) (expression string, remove func() error, err error) {
	if len(text) <= maxArgument {
		return text, func() error { return nil }, nil
	}
	f, err := os.CreateTemp("", "livebuild-*.nix")
	if err != nil {
		return "", nil, fmt.Errorf("handing a long expression to Nix: %w", err)
	}
	remove = func() error { return os.Remove(f.Name()) }
	_, err = f.WriteString(text)
	file, pathErr := filepath.Abs(f.Name())
	if err := errors.Join(err, f.Close(), pathErr); err != nil {
		return "", nil, errors.Join(fmt.Errorf("handing a long expression to Nix: %w", err), remove())
	}
	hash := sha256.Sum256([]byte(text))
	return read(file, hex.EncodeToString(hash[:])), remove, nil
}

// pinned reads a file into an evaluation that stays pure: like a download whose
// hash is known before.
func pinned(file, hash string) string {
	location := url.URL{Scheme: "file", Path: file}
	return fmt.Sprintf("import (builtins.fetchurl { url = %s; sha256 = %s; name = \"livebuild.nix\"; })",
		Quote(location.String()), Quote(hash))
}

// unpinned reads a file into an evaluation that may read any.
func unpinned(file, _ string) string { return "import (/. + " + Quote(file) + ")" }
