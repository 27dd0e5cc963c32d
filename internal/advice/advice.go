// Package advice says what can be done about errors, in tables: a row for each type of
// error that a package of ours exports.
package advice

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A Row is advice on errors of one type, or none on any other.
type Row func(err error) string

// On is the same advice on every error of type E.
func On[E error](advice string) Row {
	return OnValue(func(E) string { return advice })
}

// OnValue is advice that depends on the error.
func OnValue[E error](advise func(E) string) Row {
	return func(err error) string {
		if e, ok := errors.AsType[E](err); ok {
			return advise(e)
		}
		return ""
	}
}

// OnErr is advice on an error that is a value.
func OnErr(target error, advice string) Row {
	return func(err error) string {
		if errors.Is(err, target) {
			return advice
		}
		return ""
	}
}

// Usage is advice on wrong usage of which nothing better is known.
const Usage = "'livebuild --help' lists verbs, 'livebuild VERB --help' their flags"

// tables has one for each package whose errors get to the user, in the file of its name.
// Every exported error has its row, which cmd/livebuild tests.
var tables = [][]Row{
	installableHints, nixHints, nixosHints, bootHints, secureBootHints, storefsHints, imageHints, manifestHints, signatureHints, mediumHints, contentsHints, inspectionHints, qemuHints, boottestHints,
	deviceHints, transferHints, webHints, imagefileHints, verifyHints, stampHints, persistenceHints, doctorHints, reportHints, trialHints, templateHints, netbootHints,
}

// For is the advice on an error; the rows given are of the caller's own errors. An error
// can wrap another: the first row that has advice counts, so that wrong usage, which wraps
// what is wrong, comes after all that may say more.
func For(err error, own ...Row) string {
	for _, table := range append(slices.Clone(tables), own) {
		for _, row := range table {
			if advice := row(err); advice != "" {
				return advice
			}
		}
	}
	return systemHint(err)
}

// systemHint is advice on what the operating system refused.
func systemHint(err error) string {
	var path *fs.PathError
	errors.As(err, &path)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room, or write to another disk with -o; nothing was left behind"
	case errors.Is(err, fs.ErrPermission) && path != nil && isThere(path.Path):
		return "who runs livebuild may not open it: change its mode or its owner, or name another file"
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrPermission):
		return "write to another folder with -o"
	case errors.Is(err, fs.ErrNotExist) && path != nil && strings.Contains(path.Path, "/store/"):
		return "a store path is gone: check the store with 'nix-store --verify --repair', then run livebuild again"
	case errors.Is(err, fs.ErrNotExist) && path != nil && strings.HasSuffix(path.Path, ".iso"):
		return "'livebuild iso' writes an image; give the path of one that is there"
	case errors.Is(err, fs.ErrNotExist) && path != nil && isThere(filepath.Dir(path.Path)):
		return "nothing of that name is in the folder: name a file that is there"
	case errors.Is(err, fs.ErrNotExist):
		return "make the folder first, or write to another one with -o"
	}
	return "-v shows all that Nix says meanwhile"
}

// isThere tells a missing file from a missing folder, and what may not be opened from what may not
// be made.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
