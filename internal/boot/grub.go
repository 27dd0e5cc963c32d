package boot

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
)

// Paths of the medium that the loaders name. Their case counts: GRUB reads
// ISO 9660 names as they are.
const (
	efiDir     = "EFI/BOOT"
	markerPath = "EFI/nixos-installer-image"
	themeDir   = efiDir + "/grub-theme"
	fontPath   = efiDir + "/unicode.pf2"
	splashPath = efiDir + "/efi-background.png"
)

// gfxModes are tried in turn; "auto" alone may choose the smallest.
const gfxModes = "1920x1200,1920x1080,1366x768,1280x800,1280x720,1200x1920,1024x768,800x1280,800x600,auto"

// script builds a GRUB script.
type script struct {
	bytes.Buffer
	depth int

	// unrestricted lets everybody start the entries, where a superuser alone may edit
	// them (GRUB manual, "Authentication and authorisation").
	unrestricted bool
}

func (s *script) line(format string, args ...any) {
	fmt.Fprintf(s, strings.Repeat("  ", s.depth)+format+"\n", args...)
}

// block writes a compound command around what body writes.
func (s *script) block(open string, body func(), close string) {
	if command, _, _ := strings.Cut(open, " "); s.unrestricted && (strings.HasSuffix(command, "entry") || command == "submenu") {
		open = strings.TrimSuffix(open, "{") + "--unrestricted {"
	}
	s.line("%s", open)
	s.depth++
	body()
	s.depth--
	s.line("%s", close)
}

// Grub returns grub.cfg. The fonts are those of the theme, as paths relative to it;
// deviceTrees are the files that can be chosen, relative to the entries' directories.
//
// The variables textmode and isoboot are exported, unlike in nixpkgs: a submenu
// has an environment of its own, and would fall back to graphics and forget the
// image file.
func (m *Menu) Grub(fonts, deviceTrees []string) []byte {
	s := &script{unrestricted: m.Closed}
	timeout := -1 // wait
	if m.Timeout != nil {
		timeout = *m.Timeout
	}
	s.line("set timeout=%d", timeout)
	s.line("set textmode=%t", m.TextMode)
	s.line("export textmode")
	s.line("")
	s.line("# Seen on the console of the firmware only.")
	s.line("clear")
	for _, text := range []string{"", "Loading graphical boot menu...", "",
		"Press 't' to use the text boot menu on this console...", ""} {
		s.line("echo %q", text)
	}
	s.line("")
	m.preamble(s, fonts)
	if m.StampParams {
		s.line("# What was stamped onto the medium.")
		s.line("load_env --file ($root)/%s %s", medium.StampParams, medium.ParamsVariable)
		s.line("export %s", medium.ParamsVariable)
		s.line("")
	}
	if m.FindISO {
		s.line("# Set by a GRUB that started this one from an image file.")
		s.block(`if [ -n "${iso_path}" ]; then`, func() {
			s.line(`set isoboot="findiso=${iso_path}"`)
			s.line("export isoboot")
		}, "fi")
		s.line("")
	}
	if len(m.Systems) == 1 {
		for _, e := range m.Systems[0].Entries {
			m.entry(s, e)
		}
	} else {
		s.line(`set default="%d>0"`, m.Default)
		for _, system := range m.Systems {
			s.block("submenu "+grubQuote(system.Title)+" --class "+system.Entries[0].Class+" {", func() {
				m.preamble(s, fonts)
				for _, e := range system.Entries {
					m.entry(s, e)
				}
				m.options(s, fonts, system)
			}, "}")
		}
	}
	for _, e := range m.Install {
		m.entry(s, e)
	}
	switch {
	case m.Check == nil:
	case m.Verified:
		// GRUB would want a signature of the store image, too, and room for all of it in
		// memory. So the first stage checks, as it does with isolinux.
		m.entry(s, m.isolinuxCheck())
	default:
		m.checkEntry(s)
	}
	if len(m.Systems) == 1 {
		m.options(s, fonts, m.Systems[0])
	}
	m.deviceTreeChoice(s, fonts, deviceTrees)
	m.tail(s)
	return s.Bytes()
}

// options writes the submenu with the options of a system.
func (m *Menu) options(s *script, fonts []string, system Section) {
	s.block("submenu "+grubQuote(OptionsTitle)+" --class submenu --class hidpi {", func() {
		m.preamble(s, fonts)
		for _, g := range system.Options {
			s.block("submenu "+grubQuote(g.Title)+" --class "+g.Class+" {", func() {
				m.preamble(s, fonts)
				for _, e := range g.Entries {
					m.entry(s, e)
				}
			}, "}")
		}
	}, "}")
}

// preamble sets up the terminal. A submenu inherits exported variables alone,
// so each begins with it.
func (m *Menu) preamble(s *script, fonts []string) {
	s.line("# The medium is what has this file.")
	s.line("search --set=root --file /%s", markerPath)
	if !m.Verified { // its program has them, and may not load others
		s.line("insmod gfxterm")
		s.line("insmod png")
	}
	s.line("set gfxpayload=keep")
	s.line("set gfxmode=%s", gfxModes)
	s.line(`if [ "$textmode" == "false" ]; then`)
	if !m.Theme {
		// The font inside GRUB is ASCII alone: without this one, which nixpkgs
		// loads for text mode only, the menu's frame is made of question marks.
		s.line("  loadfont ($root)/%s", fontPath)
	}
	s.line("  terminal_output gfxterm")
	s.line("  terminal_input console")
	s.line("else")
	s.line("  terminal_output console")
	s.line("  terminal_input console")
	s.line("  set menu_color_normal=cyan/blue")
	s.line("  set menu_color_highlight=white/blue")
	s.line("fi")

	loadFonts := func() {
		for _, font := range fonts {
			s.line("loadfont ($root)%s", grubQuote("/"+themeDir+"/"+font))
		}
	}
	switch {
	case m.Theme:
		s.line("set theme=($root)/%s/theme.txt", themeDir)
		loadFonts()
	case m.Background:
		s.line("if background_image ($root)/%s; then", splashPath)
		s.line("  # Over an image, black is transparent.")
		s.line("  set color_normal=black/black")
		s.line("  set color_highlight=white/blue")
		s.line("else")
		s.line("  set menu_color_normal=cyan/blue")
		s.line("  set menu_color_highlight=white/blue")
		s.line("fi")
	}

	// The command hiddenentry is a patch of nixpkgs. Other builds of GRUB say
	// that they do not know it, and go on.
	s.block("hiddenentry 'Text mode' --hotkey 't' {", func() {
		s.line("loadfont ($root)/%s", fontPath)
		s.line("set textmode=true")
		s.line("terminal_output console")
	}, "}")
	if m.Theme {
		s.block("hiddenentry 'GUI mode' --hotkey 'g' {", func() {
			loadFonts()
			s.line("set textmode=false")
			s.line("terminal_output gfxterm")
		}, "}")
	}
	s.line("")
}

func (m *Menu) entry(s *script, e Entry) {
	s.block("menuentry "+grubQuote(e.Title)+" --class "+e.Class+" {", func() {
		s.line("# The kernel's messages need the console of the firmware.")
		s.line("terminal_output console")
		m.load(s, e)
	}, "}")
}

// load writes the commands that load an entry's kernel and what it needs. At the end of
// an entry GRUB starts what is loaded.
func (m *Menu) load(s *script, e Entry) {
	linux := []string{"linux", e.Kernel}
	if e.FindISO {
		linux = append(linux, "${isoboot}")
	}
	linux = append(linux, e.grubParams()...)
	if e.StampParams {
		linux = append(linux, "${"+medium.ParamsVariable+"}")
	}
	s.line("%s", strings.Join(linux, " "))
	if len(e.Initrds) > 0 {
		s.line("initrd %s", strings.Join(e.Initrds, " "))
	}
	e.deviceTree(s)
}

// grubParams returns the command line as words of a GRUB script. NewMenu
// admitted only what can be written so.
func (e Entry) grubParams() []string {
	var all []string
	for _, p := range e.Params {
		words, err := grubWords(p)
		if err != nil {
			words = []string{grubQuote(p)}
		}
		all = append(all, words...)
	}
	return all
}

// tail writes the entries that start something else.
func (m *Menu) tail(s *script) {
	if m.Refind != "" {
		s.line("# GRUB cannot start a program of the FAT file system from a CD.")
		s.block(`if [ "$root" != "cd0" ]; then`, func() {
			s.block("menuentry 'rEFInd' --class refind {", func() {
				s.line("# rEFInd finds its files in the file system that it comes from.")
				s.line("search --set=root --no-floppy --fs-uuid %s", espUUID)
				s.line("chainloader ($root)/%s/%s", efiDir, m.Refind)
			}, "}")
		}, "fi")
	}
	if m.Memtest != nil && m.MemtestEFI {
		s.block("menuentry '"+m.Memtest.Title+"' --class "+m.Memtest.Class+" {", func() {
			s.line("%s", strings.Join(append([]string{"linux", "($root)" + m.Memtest.Kernel}, m.Memtest.grubParams()...), " "))
		}, "}")
	}
	s.block("menuentry 'Firmware Setup' --class settings {", func() {
		s.line("fwsetup")
		s.line("clear")
		s.line(`echo ""`)
		s.line(`echo "If you see this message, your EFI system doesn't support this feature."`)
		s.line(`echo ""`)
	}, "}")
	s.block("menuentry 'Shutdown' --class shutdown {", func() {
		s.line("halt")
	}, "}")
}
