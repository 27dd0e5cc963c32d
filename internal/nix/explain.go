package nix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/livebuild/livebuild/internal/installable"
)

// explain looks on this machine for the cause of an error that Nix tells only the
// effect of: the folder of the flake may be missing, a file not be tracked by git,
// or be of a submodule, the repository be another user's, the lock file be damaged.
func (e *Error) explain(ctx context.Context, ref string) {
	folder, ok := installable.Installable{Ref: ref}.Folder()
	if !ok {
		return
	}
	switch {
	case e.Kind == KindMissingFile && !exists(folder):
		e.Kind = KindNoFlake
	case e.Kind == KindMissingFile, e.Kind == KindUntrackedFile:
		e.explainFile(ctx, ref, folder)
	case gitFailed.MatchString(e.Message):
		e.explainGit(ctx, folder)
	case strings.Contains(e.Message, jsonError), e.Kind == KindCrash:
		e.explainLock(ref, folder)
	}
}

// explainFile looks why Nix does not see a file: it copies what the flake's own
// repository tracks, and nothing else.
func (e *Error) explainFile(ctx context.Context, ref, folder string) {
	repository, ok := workTree(ctx, folder)
	if !ok {
		return
	}
	if submodule, ok := submodule(ctx, repository, e.File); ok {
		if reference, ok := installable.WithSubmodules(ref); ok {
			e.Kind, e.Repository, e.Reference = KindSubmodule, repository, reference
			e.Message = fmt.Sprintf("%s is in the git submodule %s, which Nix leaves out", e.File, submodule)
		}
		return
	}
	if e.Kind == KindMissingFile {
		file := filepath.Join(repository, e.File)
		info, err := os.Stat(file)
		if err != nil || git(ctx, repository, "ls-files", "--error-unmatch", "--", e.File) == nil {
			return
		}
		inside := file
		if !info.IsDir() {
			inside = filepath.Dir(file)
		}
		if inner, ok := workTree(ctx, inside); ok && inner != repository {
			e.Kind, e.Repository = KindNested, inner
			e.Message = fmt.Sprintf("%s is in the git repository %s, inside of the flake's own, which does not track it", e.File, inner)
			return
		}
		e.setUntracked(e.File, repository)
	}
	e.Ignored = git(ctx, e.Repository, "check-ignore", "--quiet", "--", e.File) == nil
}

func (e *Error) setUntracked(file, repository string) {
	e.Kind, e.File, e.Repository = KindUntrackedFile, file, repository
	e.Message = fmt.Sprintf("%s is not tracked by git in %s, so Nix does not see it", file, repository)
}

// submodule returns the git submodule that a file of a repository is in, or is.
func submodule(ctx context.Context, repository, file string) (string, bool) {
	first, _, _ := strings.Cut(file, "/")
	output, err := exec.CommandContext(ctx, "git", "-C", repository, "ls-files", "-z", "--stage", "--", ":(literal)"+first).Output()
	if err != nil {
		return "", false
	}
	// Each entry is "<mode> <object> <stage>\t<file>" (git-ls-files(1)); mode 160000
	// is a commit of another repository.
	for entry := range strings.SplitSeq(string(output), "\x00") {
		head, name, _ := strings.Cut(entry, "\t")
		if strings.HasPrefix(head, "160000 ") && (file == name || strings.HasPrefix(file, name+"/")) {
			return name, true
		}
	}
	return "", false
}

var (
	// gitFailed is all that Nix 2.8 says if git does not do what it is asked. In a
	// repository of another user "git diff" takes itself to be outside of any, and
	// prints its usage (exit code 129).
	gitFailed = regexp.MustCompile(`program 'git' failed with exit code`)
	dubious   = regexp.MustCompile(`dubious ownership in repository at '([^']+)'`)
)

// explainGit asks git itself.
func (e *Error) explainGit(ctx context.Context, folder string) {
	cmd := exec.CommandContext(ctx, "git", "-C", folder, "rev-parse", "--show-toplevel")
	cmd.Env = append(os.Environ(), "LANGUAGE=C")
	_, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return
	}
	if m := dubious.FindSubmatch(exit.Stderr); m != nil {
		e.Kind, e.Repository = KindOwner, string(m[1])
		e.Message = "git refuses the repository " + e.Repository + ", which belongs to another user"
	}
}

// jsonError is how messages begin of the library that Nix reads JSON with. They do
// not say of which file.
const jsonError = "[json.exception."

// explainLock looks whether the lock file is one.
func (e *Error) explainLock(ref, folder string) {
	_, query, _ := strings.Cut(ref, "?")
	params, err := url.ParseQuery(query)
	if err != nil || params.Has("rev") || params.Has("ref") { // not what lies in the folder
		return
	}
	file := filepath.Join(folder, filepath.FromSlash(path.Clean("/"+params.Get("dir"))), "flake.lock")
	for !exists(filepath.Join(filepath.Dir(file), "flake.nix")) { // Nix searches upwards
		parent := filepath.Dir(filepath.Dir(file))
		if parent == filepath.Dir(file) {
			return
		}
		file = filepath.Join(parent, "flake.lock")
	}
	if reason := lockFault(file); reason != "" {
		e.Kind, e.File, e.Message = KindBadLock, file, file+" "+reason
	}
}

// lockFault says what is wrong with a lock file, if anything is.
func lockFault(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if bytes.HasPrefix(line, []byte("<<<<<<< ")) {
			return fmt.Sprintf("has the marks of a merge conflict, in line %d", number)
		}
	}
	var lock struct {
		Version *int
		Nodes   map[string]any
	}
	switch err := json.Unmarshal(data, &lock); {
	case len(bytes.TrimSpace(data)) == 0:
		return "is empty"
	case err != nil:
		return "is damaged: " + err.Error()
	case lock.Version == nil || lock.Nodes == nil:
		return "is no lock file"
	}
	return ""
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
