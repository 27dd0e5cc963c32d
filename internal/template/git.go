package template

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
)

// A Repository is the git repository around a folder, and the environment that git runs in.
type Repository struct {
	Folder string
	Env    []string
}

// GitError is a failure of git.
type GitError struct {
	Command string // what was asked of it
	Message string // what it said, or why it did not run
	Err     error
}

func (e *GitError) Error() string { return "git " + e.Command + ": " + e.Message }
func (e *GitError) Unwrap() error { return e.Err }

// Exists says whether there is one: of a flake in it, Nix sees what it tracks. It is false without
// a git to ask.
func (r Repository) Exists(ctx context.Context) bool {
	out, err := r.run(ctx, "rev-parse", "--is-inside-work-tree")
	return err == nil && out == "true"
}

// Track makes a repository if there is none, and has it track files of the folder, which it does not
// commit. The error is a [*GitError].
func (r Repository) Track(ctx context.Context, files []string) (made bool, err error) {
	if !r.Exists(ctx) {
		if _, err := r.run(ctx, "init", "--quiet"); err != nil {
			return false, err
		}
		made = true
	}
	_, err = r.run(ctx, append([]string{"add", "--"}, files...)...)
	return made, err
}

// run returns what git prints.
func (r Repository) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", r.Folder}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = r.Env, &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return strings.TrimSpace(stdout.String()), nil
	}
	message, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	if message == "" {
		message = err.Error()
	}
	return "", &GitError{Command: args[0], Message: strings.TrimPrefix(message, "fatal: "), Err: err}
}
