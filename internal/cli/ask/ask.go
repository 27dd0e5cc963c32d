// Package ask is what can be meant where a verb needs something that was not named: a configuration,
// an image, a disk. On a terminal a person is shown a list, and a shell is told how a word can go on.
package ask

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/console"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/picklist"
)

// kind is what an argument can be.
type kind int

const (
	configuration kind = 1 << iota
	image              // the file of one
	disk               // that may be written to or read
	inside             // a file of the image that is the first argument
	address            // of an image on a server
	folder             // of this machine
	optional           // beside another kind: it need not be there
	more               // beside another kind: further ones may follow
)

// attributes are what is said of an argument beside what it can be.
const attributes = optional | more

// wanted are the arguments of verbs, in their order.
var wanted = map[string][]kind{
	"iso":     {configuration | more},
	"plan":    {configuration | more},
	"bench":   {configuration | more},
	"doctor":  {configuration | optional},
	"netboot": {configuration},
	"kexec":   {configuration},
	"serve":   {folder},
	"run":     {image | configuration},
	"test":    {image},
	"write":   {image, disk | more},
	"stamp":   {image | disk},
	"verify":  {image | disk},
	"inspect": {image | disk},
	"ls":      {image | disk, inside | optional | more},
	"cat":     {image | disk, inside | more},
	"extract": {image | disk, inside | more},
	"diff":    {image | configuration, image | configuration},
	"fetch":   {address},
	"init":    {folder | optional},
	"man":     {folder},
}

// canPick reports whether there are lists of all that is missing of a verb's arguments.
func canPick(kinds []kind, args []string) bool {
	return len(args) < len(kinds) && !slices.ContainsFunc(kinds[len(args):], func(k kind) bool {
		return k&(configuration|image|disk|optional) == 0
	})
}

// here is the flake of the current folder.
const here = "."

// Asker asks what was not named.
type Asker struct {
	app   *face.App
	names names
}

// New returns one for a run of the program.
func New(app *face.App) *Asker { return &Asker{app, newNames()} }

// Fill lets a verb that lacks an argument ask for it, if there is somebody to ask, and something to pick
// from.
func (a *Asker) Fill(cmd *cobra.Command) {
	kinds := wanted[cmd.Name()]
	if kinds == nil {
		return
	}
	check, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil && !(a.mayAsk(cmd) && canPick(kinds, args)) {
			return err
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given := args
		for {
			gap := check(cmd, args)
			if gap == nil {
				break
			}
			more, err := a.pick(cmd, kinds, args)
			if err != nil {
				return err
			}
			if len(more) == len(args) { // nothing to pick from, or something else is wrong
				return face.Usage(gap)
			}
			args = more
		}
		if more := args[len(given):]; len(more) == 1 && more[0] == here {
			a.app.Args = append(slices.Clone(a.app.Args), here) // no news
		} else if len(more) > 0 {
			a.said(more)
		}
		for {
			err := run(cmd, args)
			several, ok := errors.AsType[*nixos.SeveralConfigurationsError](err)
			if !ok || !a.mayAsk(cmd) {
				return err
			}
			named, errPick := a.name(cmd, args, several)
			switch {
			case errPick != nil:
				return errPick
			case named == nil:
				return err
			}
			args = named
		}
	}
}

// said says what was picked, as the command that needs no question, and has hints say it, too.
func (a *Asker) said(words []string) {
	a.app.Args = append(slices.Clone(a.app.Args), words...)
	a.app.Console.Line("that is: " + human.ShellLine(append([]string{"livebuild"}, a.app.Args...)))
}

// saidInstead is said of a word that was picked for one of several. Of the same words the last is an argument: a
// flag's value that is one, too, comes before it as a rule.
func (a *Asker) saidInstead(old, word string) {
	a.app.Args = slices.Clone(a.app.Args)
	for i, arg := range slices.Backward(a.app.Args) {
		if arg == old {
			a.app.Args[i] = word
			break
		}
	}
	a.said(nil)
}

// mayAsk reports whether there is somebody to ask, who did not say that nothing is to be asked.
func (a *Asker) mayAsk(cmd *cobra.Command) bool {
	if a.app.In == nil || !term.IsTerminal(int(a.app.In.Fd())) || a.screen() == nil || cmd.ArgsLenAtDash() >= 0 {
		return false
	}
	if ci := os.Getenv("CI"); ci != "" && ci != "false" && ci != "0" {
		return false
	}
	for _, name := range []string{"yes", "json"} {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Value.String() == "true" {
			return false
		}
	}
	return a.app.Console.Way() == console.Auto
}

// screen is the terminal on which questions are asked, or nil.
func (a *Asker) screen() *os.File {
	f, ok := a.app.Console.Raw().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// choice is something that can be picked.
type choice struct {
	word string // the argument
	item picklist.Item
}

// pick asks for the next argument. If there is nothing to pick from, the arguments stay.
func (a *Asker) pick(cmd *cobra.Command, kinds []kind, args []string) ([]string, error) {
	if !canPick(kinds, args) {
		return args, nil
	}
	what := kinds[len(args)] &^ attributes
	var choices []choice
	if what&image != 0 {
		choices = append(choices, images(".")...)
	}
	if what&disk != 0 {
		sticks, err := sticks()
		if err != nil {
			return nil, err
		}
		choices = append(choices, sticks...)
	}
	if what&configuration != 0 && flakeHere() {
		if len(choices) == 0 {
			return append(slices.Clone(args), here), nil // as Nix does
		}
		choices = append(choices, choice{here, picklist.Item{Name: here, Detail: "a configuration of the flake here, built first"}})
	}
	choices = slices.DeleteFunc(choices, func(c choice) bool { return slices.Contains(args, c.word) })
	if len(choices) == 0 {
		return args, nil
	}
	picked, err := a.list(cmd.Context(), title(what, args), choices)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(args), picked), nil
}

// title asks for an argument behind those that there are.
func title(what kind, args []string) string {
	switch {
	case what == disk:
		return "Which disk is to get " + filepath.Base(args[0]) + "? All of it will be lost."
	case what&disk != 0:
		return "Which image or stick?"
	case len(args) > 0:
		return "What is " + filepath.Base(args[0]) + " compared with?"
	}
	return "Which image?"
}

// list shows choices, and returns the word of the one that was picked.
func (a *Asker) list(ctx context.Context, title string, choices []choice) (string, error) {
	items := make([]picklist.Item, len(choices))
	for i, c := range choices {
		items[i] = c.item
	}
	a.app.Console.Ask("") // nothing else is drawn meanwhile
	on := picklist.Terminal{In: a.app.In, Out: a.screen(), Env: os.Environ(), Dumb: os.Getenv("TERM") == "dumb"}
	picked, err := picklist.Pick(ctx, on, title, items)
	if err != nil {
		return "", err
	}
	return choices[picked].word, nil
}

// name asks which of several configurations is meant, and returns the arguments with its name in its place, or
// nil if no argument says so little, or it cannot be written as one.
func (a *Asker) name(cmd *cobra.Command, args []string, several *nixos.SeveralConfigurationsError) ([]string, error) {
	file := cmd.Flags().Lookup("file")
	ofFile := file != nil && file.Changed
	at := -1
	var named []string // of the same flake, by other arguments
	for i, word := range args {
		of, err := installable.Parse(word)
		if ofFile || err != nil || of.Ref != several.Of.Ref || of.File != several.Of.File {
			continue
		}
		switch {
		case of.Name != "":
			named = append(named, of.Name)
		case at < 0:
			at = i
		}
	}
	if at < 0 && !(ofFile && len(args) == 0 && several.Of.File != "") {
		return nil, nil
	}
	var choices []choice
	for _, name := range several.Names {
		if printable(name) && !slices.Contains(named, name) {
			choices = append(choices, choice{name, picklist.Item{Name: name}})
		}
	}
	if len(choices) == 0 {
		return nil, nil
	}
	title := "Which configuration?"
	if len(args) > 1 {
		title = "Which configuration of " + args[at] + "?"
	}
	picked, err := a.list(cmd.Context(), title, choices)
	if err != nil {
		return nil, err
	}
	if ofFile {
		a.said([]string{picked})
		return []string{picked}, nil
	}
	ref, _, _ := strings.Cut(args[at], "#")
	word, ok := installableOf(ref, picked)
	if !ok {
		return nil, nil
	}
	args = slices.Clone(args)
	if i := slices.Index(a.app.Args, args[at]); i >= 0 && len(args) == 1 {
		a.app.Args = slices.Delete(slices.Clone(a.app.Args), i, i+1)
		a.said([]string{word})
	} else {
		a.saidInstead(args[at], word)
	}
	args[at] = word
	return args, nil
}
