package cli

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
)

// A hint is advice on errors of one type, or none on any other.
type hint func(err error) string

// on is the same advice on every error of type E.
func on[E error](advice string) hint {
	return onValue(func(E) string { return advice })
}

// onValue is advice that depends on the error.
func onValue[E error](advise func(E) string) hint {
	return func(err error) string {
		if e, ok := errors.AsType[E](err); ok {
			return advise(e)
		}
		return ""
	}
}

// onErr is advice on an error that is a value.
func onErr(target error, advice string) hint {
	return func(err error) string {
		if errors.Is(err, target) {
			return advice
		}
		return ""
	}
}

// hints has a table for each package whose errors get here, in the file of its name.
// Every exported error has its row, which cmd/livebuild tests. An error can wrap
// another: the first row that has advice counts, so that wrong usage, which wraps what
// is wrong, comes after all that may say more.
var hints = [][]hint{
	nixHints, nixosHints, bootHints, storefsHints, imageHints, mediumHints, qemuHints, boottestHints, deviceHints, imagefileHints, ownHints,
}

// hintFor is the advice on an error. All advice is in this file and in those whose
// names begin like it.
func hintFor(err error) string {
	for _, table := range hints {
		for _, h := range table {
			if advice := h(err); advice != "" {
				return advice
			}
		}
	}
	return systemHint(err)
}

// is says whether an error is, or wraps, one of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// systemHint is advice on what the operating system refused.
func systemHint(err error) string {
	var path *fs.PathError
	errors.As(err, &path)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room, or write to another disk with -o; nothing was left behind"
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrPermission):
		return "write to another folder with -o"
	case errors.Is(err, fs.ErrNotExist) && path != nil && strings.Contains(path.Path, "/store/"):
		return "a store path is gone: check the store with 'nix-store --verify --repair', then run livebuild again"
	case errors.Is(err, fs.ErrNotExist) && path != nil && strings.HasSuffix(path.Path, ".iso"):
		return "'livebuild iso' writes an image; give the path of one that is there"
	case errors.Is(err, fs.ErrNotExist):
		return "make the folder first, or write to another one with -o"
	}
	return "-v shows all that Nix says meanwhile"
}
