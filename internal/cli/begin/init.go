// Package begin is the verb that writes a flake to begin with.
package begin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/template"
)

type options struct {
	template string
	git      bool
	json     bool
}

// Init is the verb of that name.
func Init(app *face.App) *cobra.Command {
	var opts options
	cmd := &cobra.Command{
		Use:   "init [DIR] [flags]",
		Short: "Write a flake to begin with",
		Long: `Write a small flake into a folder, by default the current one: a live medium beside
the system that is installed from it, in a few short files with a word about what
to change. Nothing that is there is replaced.

The templates:

` + describeTemplates() + `
Nix has the same ones: nix flake init --template github:livebuild/livebuild#minimal.
The names of the files are printed on standard output.`,
		Example: `  livebuild init
  livebuild init --template rescue --git stick
  livebuild init --template installer installer`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("one folder is wanted, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "."
			if len(args) == 1 {
				folder = args[0]
			}
			return run(cmd.Context(), app, folder, opts)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&opts.template, "template", "t", template.List()[0].Name, "write the template `NAME`")
	f.BoolVar(&opts.git, "git", false, "have git track the files, in a new repository if there is none: Nix sees no others in one")
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	// It fails for flags that there are not.
	_ = cmd.RegisterFlagCompletionFunc("template", completeTemplates)
	return cmd
}

// describeTemplates lists them for the help.
func describeTemplates() string {
	var b strings.Builder
	for _, t := range template.List() {
		fmt.Fprintf(&b, "  %-10s %s\n", t.Name, t.Description)
	}
	return b.String()
}

func completeTemplates(*cobra.Command, []string, string) (words []string, _ cobra.ShellCompDirective) {
	for _, t := range template.List() {
		words = append(words, t.Name+"\t"+t.Description)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

func run(ctx context.Context, app *face.App, folder string, opts options) (err error) {
	if _, err := template.Files(opts.template); err != nil {
		return face.Usage(fmt.Errorf("--template: %w", err))
	}
	made, err := makeFolder(folder)
	if err != nil {
		return err
	}
	wrote := false
	defer func() {
		if wrote {
			return
		}
		for _, dir := range made { // those that hold nothing
			_ = os.Remove(dir)
		}
	}()
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	label := folder
	if folder == "." {
		label = "this folder"
	}
	files, err := template.Write(root, label, opts.template)
	if err != nil {
		return err
	}
	wrote = true
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	result := report.Flake{Folder: absolute, Template: opts.template, Files: files, Shown: folder}
	repository := template.Repository{Folder: folder, Env: os.Environ()}
	if opts.git {
		if result.NewRepository, err = repository.Track(ctx, files); err != nil {
			return fmt.Errorf("the files are in %s, but git does not track them: %w", folder, err)
		}
	}
	if err := app.Print(result, opts.json); err != nil {
		return err
	}
	if !opts.git && repository.Exists(ctx) {
		app.Console.Warn("this is a git repository, of which Nix sees what git tracks: " + gitAdd(folder, files))
	}
	app.Console.Line("next: " + human.ShellLine([]string{"livebuild", "iso", reference(folder) + "#exampleIso"}))
	return nil
}

// gitAdd is the command that has git track the files.
func gitAdd(folder string, files []string) string {
	words := []string{"git"}
	if folder != "." {
		words = append(words, "-C", folder)
	}
	return human.ShellLine(append(append(words, "add"), files...))
}

// reference is how a folder is called as a flake.
func reference(folder string) string {
	if filepath.IsAbs(folder) || folder == "." || strings.HasPrefix(folder, "./") || strings.HasPrefix(folder, "../") {
		return folder
	}
	return "./" + folder
}

// makeFolder makes a folder and those above it, and returns those that were not there, the
// innermost first.
func makeFolder(dir string) (made []string, err error) {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, at)
	}
	return made, os.MkdirAll(dir, 0o777)
}
