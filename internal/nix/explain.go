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
func (e *Error) explain(ctx context.Context, g git, ref string) {
	folder, ok := installable.Installable{Ref: ref}.Folder()
	if !ok {
		return
	}
	switch {
	case e.Kind == KindMissingFile && !exists(folder):
		e.Kind = KindNoFlake
	case e.Kind == KindMissingFile, e.Kind == KindUntrackedFile:
		e.explainFile(ctx, g, ref, folder)
	case gitFailed.MatchString(e.Message):
		e.explainGit(ctx, g, folder)
	case strings.Contains(e.Message, jsonError), e.Kind == KindCrash:
		e.explainLock(ref, folder)
	}
}

// explainFile looks why Nix does not see a file: it copies what the flake's own
// repository tracks, and nothing else.
func (e *Error) explainFile(ctx context.Context, g git, ref, folder string) {
	repository, ok := g.workTree(ctx, folder)
	if !ok {
		return
	}
	if submodule, ok := g.submodule(ctx, repository, e.File); ok {
		if reference, ok := installable.WithSubmodules(ref); ok {
			e.Kind, e.Repository, e.Reference = KindSubmodule, repository, reference
			e.Message = fmt.Sprintf("%s is in the git submodule %s, which Nix leaves out", e.File, submodule)
		}
		return
	}
	if e.Kind == KindMissingFile {
		file := filepath.Join(repository, e.File)
		info, err := os.Stat(file)
		if err != nil || g.succeeds(ctx, repository, "ls-files", "--error-unmatch", "--", e.File) {
			return
		}
		inside := file
		if !info.IsDir() {
			inside = filepath.Dir(file)
		}
		if inner, ok := g.workTree(ctx, inside); ok && inner != repository {
			e.Kind, e.Repository = KindNested, inner
			e.Message = fmt.Sprintf("%s is in the git repository %s, inside of the flake's own, which does not track it", e.File, inner)
			return
		}
		e.setUntracked(e.File, repository)
	}
	e.Ignored = g.succeeds(ctx, e.Repository, "check-ignore", "--quiet", "--", e.File)
}

func (e *Error) setUntracked(file, repository string) {
	e.Kind, e.File, e.Repository = KindUntrackedFile, file, repository
	e.Message = fmt.Sprintf("%s is not tracked by git in %s, so Nix does not see it", file, repository)
}

// submodule returns the git submodule that a file of a repository is in, or is.
func (g git) submodule(ctx context.Context, repository, file string) (string, bool) {
	first, _, _ := strings.Cut(file, "/")
	output, err := g.output(ctx, repository, "ls-files", "-z", "--stage", "--", ":(literal)"+first)
	if err != nil {
		return "", false
	}
	// Each entry is "<mode> <object> <stage>\t<file>" (git-ls-files(1)); mode 160000
	// is a commit of another repository.
	for entry := range strings.SplitSeq(output, "\x00") {
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
func (e *Error) explainGit(ctx context.Context, g git, folder string) {
	_, err := g.output(ctx, folder, "rev-parse", "--show-toplevel")
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

// git runs git in the environment that Nix has it in.
type git []string

// output runs git in a folder. If it fails, its messages are in an *exec.ExitError.
func (g git) output(ctx context.Context, folder string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", folder}, args...)...)
	cmd.Env = inEnglish(g)
	output, err := cmd.Output()
	return string(output), err
}

// succeeds runs git in a folder for the sake of its exit status.
func (g git) succeeds(ctx context.Context, folder string, args ...string) bool {
	_, err := g.output(ctx, folder, args...)
	return err == nil
}

// workTree returns the root of the git work tree that folder is in.
func (g git) workTree(ctx context.Context, folder string) (string, bool) {
	output, err := g.output(ctx, folder, "rev-parse", "--show-toplevel")
	return strings.TrimSuffix(output, "\n"), err == nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
