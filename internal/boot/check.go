package boot

import (
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
)

// The medium check compares what is loaded from a medium with the list [medium.Sums]
// before anything is started from there. By UEFI, GRUB does it. isolinux cannot; there
// the first stage does it, before it starts anything of the store image: medium.nix of
// package nixos, which heeds checkWord.
const (
	checkTitle = "Check this medium, then start"
	checkLabel = "check"
	checkWord  = "livebuild.check"
)

// wrongSums is a list that is known to be wrong: the sum of itself is not zero. For GRUB
// a command that it does not have is true after "if", so that every medium would be good
// for one that another GRUB started from a file, without this one's modules.
const wrongSums = "livebuild/SHA512SUMS.wrong"

func wrongSumsList() []byte { return medium.Sum{Path: wrongSums}.AppendTo(nil) }

// isolinuxCheck is the entry as isolinux has it. GRUB does not give the word: one check
// is enough.
func (m *Menu) isolinuxCheck() Entry {
	e := *m.Check
	e.Params = append(slices.Clone(e.Params), checkWord)
	return e
}

// checkEntry writes the entry that checks.
func (m *Menu) checkEntry(s *script) {
	e := *m.Check
	s.block("menuentry "+grubQuote(e.Title)+" --class "+e.Class+" {", func() {
		s.line("terminal_output console")
		say := func(lines ...string) {
			for _, line := range lines {
				s.line("echo %q", line)
			}
		}
		wait := func() {
			say("Press Enter to go back to the menu.")
			s.line("read livebuild_enter")
		}
		s.line("# For a command that GRUB does not have, 'if' is true: first a list that is wrong.")
		s.line("if hashsum --hash sha512 --check /%s; then", wrongSums)
		s.depth++
		s.line("clear")
		say("The medium was NOT checked: this boot loader has no command for it.")
		wait()
		s.depth--
		s.line("else")
		s.depth++
		s.line("clear")
		say("Checking this medium, before anything is started from it.",
			"All of it is read, which takes some minutes from a slow stick.", "")
		s.line("set enable_progress_indicator=1")
		s.line("if hashsum --hash sha512 --keep-going --check /%s; then", medium.Sums)
		s.depth++
		say("", "This medium is good. Starting the system.")
		m.load(s, e)
		s.depth--
		s.line("else")
		s.depth++
		say("", "THIS MEDIUM IS DAMAGED: the files above without OK are not what was written.",
			"Write it anew, or use another one.")
		wait()
		s.depth--
		s.line("fi")
		s.depth--
		s.line("fi")
	}, "}")
}

// HasSums tells whether the medium gets a list of sums.
func (t *Tree) HasSums() bool {
	return slices.ContainsFunc(t.Menus, func(m *Menu) bool { return m.Check != nil })
}

// Checked tells whether a file of the medium is in the list: what the entries of the
// menus load, but for other programs.
func (t *Tree) Checked(path string) bool {
	for _, m := range t.Menus {
		for _, system := range m.Systems {
			for _, e := range system.Entries {
				if e.loads(path) {
					return path != medium.StampArea
				}
			}
		}
	}
	return false
}

// loads tells whether an entry loads a file of the medium.
func (e Entry) loads(path string) bool {
	for _, file := range append([]string{e.Kernel, e.DeviceTree}, e.Initrds...) {
		if file == "/"+path {
			return true
		}
	}
	return e.DeviceTrees != "" && strings.HasPrefix("/"+path, e.DeviceTrees+"/")
}
