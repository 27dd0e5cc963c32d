package advice

import (
	"errors"
	"os/exec"
	"strings"

	"github.com/livebuild/livebuild/internal/template"
)

// templateHints are advice on flakes to begin with.
var templateHints = []Row{
	OnValue(func(*template.UnknownError) string {
		var names []string
		for _, t := range template.List() {
			names = append(names, t.Name)
		}
		return "templates are " + strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}),
	On[*template.ExistsError]("nothing was written: name another folder, and take from there what you need"),
	OnValue(func(e *template.GitError) string {
		if errors.Is(e, exec.ErrNotFound) {
			return "install git, or leave out --git"
		}
		return "run 'git init' and 'git add' there yourself: of a flake in a git repository, Nix sees what git tracks"
	}),
}
