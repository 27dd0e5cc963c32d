// Package picklist lets a person pick one of several things: on a screen in a list that moves, on
// a terminal whose cursor does not by a number. It asks nothing else, and remembers nothing.
package picklist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"charm.land/huh/v2"
	"charm.land/lipgloss/v2"
	"golang.org/x/term"

	"github.com/livebuild/livebuild/internal/human"
)

// Terminal is where a list is shown and the answer comes from.
type Terminal struct {
	In, Out *os.File // both are terminals
	Env     []string // that says what the terminal can: TERM, NO_COLOR and the like
	Dumb    bool     // its cursor does not move
}

// Item is one of the things.
type Item struct {
	Name   string // short, and different from all others
	Detail string // what is known of it, or empty
}

// Pick shows a list below a title, and returns the index of what was picked. The error is
// context.Canceled if the person ended it instead, or one of the terminal.
func Pick(ctx context.Context, on Terminal, title string, items []Item) (int, error) {
	columns, lines, err := term.GetSize(int(on.Out.Fd()))
	if err != nil || columns < 20 || lines < 5 {
		columns, lines = 80, 24
	}
	if on.Dumb {
		return number(ctx, on, title, labels(items, columns-6))
	}
	keys, closeKeys, err := openKeyboard(on.In)
	if err != nil {
		return 0, fmt.Errorf("opening the terminal: %w", err)
	}
	defer closeKeys()
	var picked int
	var options []huh.Option[int]
	const around = 3 // the mark of the line, and a column at the end
	all := labels(items, columns-around)
	for i, label := range all {
		options = append(options, huh.NewOption(label, i))
	}
	const below = 4 // title, an empty line, the help
	list := huh.NewSelect[int]().Title(title).Options(options...).Value(&picked)
	if height(all, columns-around)+below > lines {
		list.Height(lines - below)
	}
	keymap := huh.NewDefaultKeyMap()
	keymap.Select.Submit.SetHelp("enter", "pick")
	form := huh.NewForm(huh.NewGroup(list)).WithTheme(huh.ThemeFunc(theme)).WithKeyMap(keymap).WithAccessible(false).WithProgramOptions(
		tea.WithInput(keys), tea.WithOutput(on.Out), tea.WithEnvironment(on.Env),
		tea.WithoutSignalHandler(), // signals end the context
	)
	err = form.RunWithContext(ctx)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, huh.ErrUserAborted):
		return 0, context.Canceled
	case err != nil:
		return 0, fmt.Errorf("showing a list: %w", err)
	}
	return picked, nil
}

// labels are the items as lines, details below one another in so many columns. Names are whole.
func labels(items []Item, columns int) []string {
	items = slices.Clone(items)
	for i := range items {
		items[i].Name, items[i].Detail = harmless(items[i].Name), harmless(items[i].Detail)
	}
	wide := 0
	for _, item := range items {
		wide = max(wide, lipgloss.Width(item.Name))
	}
	const least = 10 // columns that tell anything
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = item.Name
		if room := columns - wide - 2; item.Detail != "" && room >= least {
			list[i] += strings.Repeat(" ", wide-lipgloss.Width(item.Name)+2) + human.Cut(item.Detail, room)
		}
	}
	return list
}

// harmless is a text without what moves a cursor, or does worse: the model of a stick is what its
// maker, or somebody else, wrote there.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// height is how many lines the labels take, broken at so many columns.
func height(labels []string, columns int) (lines int) {
	for _, label := range labels {
		lines += 1 + max(0, lipgloss.Width(label)-1)/columns
	}
	return lines
}

// theme has no colours but those that every terminal has, in which its own background does not
// matter.
func theme(bool) *huh.Styles {
	t := huh.ThemeBase(false)
	cyan := lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	t.Focused.Base = lipgloss.NewStyle()
	t.Focused.Title = lipgloss.NewStyle().Bold(true)
	t.Focused.SelectSelector = cyan.SetString("> ")
	t.Focused.SelectedOption = cyan.Bold(true)
	plain := lipgloss.NewStyle()
	t.Help.ShortKey, t.Help.ShortDesc, t.Help.ShortSeparator = plain, plain, plain
	return t
}

// number shows the labels with numbers, and reads one.
func number(ctx context.Context, on Terminal, title string, labels []string) (int, error) {
	var b strings.Builder
	fmt.Fprintln(&b, title)
	for i, label := range labels {
		fmt.Fprintf(&b, "%4d  %s\n", i+1, label)
	}
	if _, err := io.WriteString(on.Out, b.String()); err != nil {
		return 0, err
	}
	for {
		if _, err := fmt.Fprintf(on.Out, "A number from 1 to %d: ", len(labels)); err != nil {
			return 0, err
		}
		line, err := readLine(ctx, on.In)
		if err != nil {
			_, _ = io.WriteString(on.Out, "\n") // the question stays as it is
			return 0, err
		}
		if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && n >= 1 && n <= len(labels) {
			return n - 1, nil
		}
	}
}

// readLine reads a line and nothing behind it, which may be the answer to another question. The end
// of the input is context.Canceled.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		var line []byte
		for b := make([]byte, 1); ; {
			n, err := in.Read(b)
			switch {
			case n == 1 && b[0] == '\n':
				read <- answer{string(line), nil}
				return
			case n == 1:
				line = append(line, b[0])
			case errors.Is(err, io.EOF):
				read <- answer{"", context.Canceled}
				return
			case err != nil:
				read <- answer{"", err}
				return
			}
		}
	}()
	select {
	case <-ctx.Done(): // the reading ends with the process
		return "", ctx.Err()
	case a := <-read:
		return a.line, a.err
	}
}
