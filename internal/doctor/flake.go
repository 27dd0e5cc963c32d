package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
)

// gitLimit is how long git may look at a work tree, and mostStatus how much it may say of it in
// bytes.
const (
	gitLimit   = 10 * time.Second
	mostStatus = 1 << 20
)

// checkRepository looks whether git has what Nix is to see of a flake.
func (e *examination) checkRepository(ctx context.Context) {
	asking, cancel := limited(ctx, gitLimit)
	defer cancel()
	top, err := e.git(asking, "rev-parse", "--show-toplevel")
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		e.wrong(ctx, "git", Failed, &nix.Error{Kind: nix.KindNoGit, Message: "git is not on the PATH"}, ISO, Run)
		return
	case errors.As(err, &exit) && bytes.Contains(exit.Stderr, []byte("not a git repository")):
		e.wrong(ctx, "git", Warning, &NoRepositoryError{e.Folder}, ISO, Run)
		return
	case err != nil:
		return // the evaluation tells
	}
	repository := strings.TrimSuffix(top, "\n")
	status, err := e.git(asking, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
	if err != nil {
		return
	}
	// Each entry is two letters of state, a space and a name (git-status(1)).
	changed := 0
	var unseen []string
	for entry := range strings.SplitSeq(status, "\x00") {
		state, name, ok := strings.Cut(entry, " ")
		switch {
		case !ok:
		case state != "??":
			changed++
		case strings.HasSuffix(name, ".nix"), filepath.Base(name) == "flake.lock":
			unseen = append(unseen, name)
		}
	}
	switch {
	case len(unseen) > 0:
		e.wrong(ctx, "git", Warning, &UntrackedError{repository, unseen}, ISO, Run)
	case changed > 0:
		e.good(ctx, "git", human.Count(changed, "file")+" of "+repository+" changed since the last commit", ISO, Run)
	default:
		e.good(ctx, "git", repository+" is as it was committed", ISO, Run)
	}
}

// git runs git in the flake's folder. What it prints beyond a limit is cut off.
func (e *examination) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", e.Folder}, args...)...)
	// Looking at a work tree need not write to it (git(1), GIT_OPTIONAL_LOCKS).
	cmd.Env = append(slices.Clone(e.Env), "LANGUAGE=C", "GIT_OPTIONAL_LOCKS=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(out, mostStatus))
	_, _ = io.Copy(io.Discard, out)
	waited := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(waited, &exit) {
		exit.Stderr = stderr.Bytes()
	}
	return string(text), errors.Join(err, waited)
}

// checkLock asks Nix whether the lock file fits, which it would change otherwise.
func (e *examination) checkLock(ctx context.Context) {
	frozen, err := nix.Find(ctx, nix.Options{Env: e.Env, Flags: e.Nix.With("no-update-lock-file")})
	if err != nil {
		return // said before
	}
	var names []string
	_, err = frozen.Eval(ctx, e.Ref, installable.Configurations, "builtins.attrNames", &names)
	switch kind := nix.KindOf(err); {
	case kind == nix.KindLockFile:
		e.wrong(ctx, "lock", Warning, err, ISO, Run)
	case kind == nix.KindBadLock:
		e.wrong(ctx, "lock", Failed, err, ISO, Run)
	case err == nil:
		e.good(ctx, "lock", lockAge(filepath.Join(e.Folder, "flake.lock")), ISO, Run)
	}
}

// mostLock is how large a lock file may be that is read, in bytes.
const mostLock = 8 << 20

// lockAge says how old what a lock file pins is.
func lockAge(file string) string {
	const fits = "flake.lock fits the flake"
	f, err := os.Open(file)
	if err != nil {
		return "the flake needs none"
	}
	defer f.Close()
	var lock struct {
		Root  string
		Nodes map[string]struct {
			Inputs map[string]any
			Locked struct{ LastModified int64 }
		}
	}
	if json.NewDecoder(io.LimitReader(f, mostLock)).Decode(&lock) != nil {
		return fits
	}
	text := fits
	for _, name := range slices.Sorted(maps.Keys(lock.Nodes[lock.Root].Inputs)) {
		node, ok := lock.Nodes[lock.Root].Inputs[name].(string)
		if at := lock.Nodes[node].Locked.LastModified; ok && at > 0 {
			text += fmt.Sprintf("; %s is of %s", name, time.Unix(at, 0).UTC().Format(time.DateOnly))
		}
	}
	return text
}
