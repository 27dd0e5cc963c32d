package nix

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// explainMissingFile looks why a file is missing. It can be the folder of the
// flake itself, or a file that git does not track: Nix copies tracked files
// alone.
func (e *Error) explainMissingFile(ctx context.Context, ref string) {
	if e.Kind == KindMissingFile {
		folder, ok := Installable{Ref: ref}.Folder()
		if !ok {
			return
		}
		if !exists(folder) {
			e.Kind = KindNoFlake
			return
		}
		repository, ok := workTree(ctx, folder)
		if !ok || !exists(filepath.Join(repository, e.File)) ||
			git(ctx, repository, "ls-files", "--error-unmatch", "--", e.File) == nil {
			return
		}
		e.setUntracked(e.File, repository)
	}
	if e.Kind == KindUntrackedFile {
		e.Ignored = git(ctx, e.Repository, "check-ignore", "--quiet", "--", e.File) == nil
	}
}

func (e *Error) setUntracked(file, repository string) {
	e.Kind, e.File, e.Repository = KindUntrackedFile, file, repository
	e.Message = fmt.Sprintf("%s is not tracked by git in %s, so Nix does not see it", file, repository)
}

// workTree returns the root of the git work tree that folder is in.
func workTree(ctx context.Context, folder string) (string, bool) {
	output, err := exec.CommandContext(ctx, "git", "-C", folder, "rev-parse", "--show-toplevel").Output()
	return strings.TrimSuffix(string(output), "\n"), err == nil
}

// git runs git in a work tree for the sake of its exit status.
func git(ctx context.Context, repository string, args ...string) error {
	return exec.CommandContext(ctx, "git", append([]string{"-C", repository}, args...)...).Run()
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
