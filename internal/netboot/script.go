// Package netboot is a folder from which machines start over the network: a kernel, what it is
// given as its first file system, and the script by which iPXE fetches both; and the server
// that gives it out.
package netboot

import (
	"fmt"
	"strings"
)

// Names of files in a folder that livebuild makes. The kernel keeps its own name.
const (
	Initrd   = "initrd"     // stage 1, and the store behind it unless that is apart
	Store    = "store.cpio" // the store, apart
	Stamp    = "stamp.cpio" // what is stamped
	Script   = "netboot.ipxe"
	Sums     = "SHA256SUMS"
	Manifest = "manifest.json" // comes last: without it not all is there
)

// Boot is what a boot loader needs to know.
type Boot struct {
	Title   string
	Kernel  string   // file
	Initrds []string // files, in order
	Params  []string // words of the kernel's command line
}

// ScriptError reports a word that iPXE would alter.
type ScriptError struct {
	Word   string
	Reason string
}

func (e *ScriptError) Error() string {
	return fmt.Sprintf("iPXE would not pass on %q on the kernel's command line: %s", e.Word, e.Reason)
}

// Text is the script for iPXE (ipxe.org/scripting). Files are named as they lie beside it. UEFI has the
// kernel itself fetch initrds, by their names on its command line (Linux, Documentation/admin-guide/efi-stub.rst);
// elsewhere the words do nothing. What the variable cmdline has is passed on, as from a script of the user's
// own that goes on to this one. The error is a *ScriptError.
func (b Boot) Text() (string, error) {
	for _, word := range append(append([]string{b.Kernel}, b.Initrds...), b.Params...) {
		if reason := altered(word); reason != "" {
			return "", &ScriptError{word, reason}
		}
	}
	words := []string{"kernel", b.Kernel}
	if len(b.Params) > 0 {
		words = append(words, b.Params[0])
	}
	for _, name := range b.Initrds {
		words = append(words, "initrd="+name)
	}
	if len(b.Params) > 1 {
		words = append(words, b.Params[1:]...)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "#!ipxe\n# %s\n", strings.Map(printable, b.Title))
	text.WriteString("# What a script before this one has set cmdline to goes to the kernel, too.\n")
	fmt.Fprintf(&text, "%s ${cmdline}\n", strings.Join(words, " "))
	for _, name := range b.Initrds {
		fmt.Fprintf(&text, "initrd %s\n", name)
	}
	text.WriteString("boot\n")
	return text.String(), nil
}

func printable(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

// altered says what iPXE would do to a word (src/core/exec.c, expand_command, split_command and command_terminator).
func altered(word string) string {
	switch {
	case word == "":
		return "it is empty"
	case strings.Contains(word, "${"):
		return "that begins a variable"
	case strings.ContainsAny(word, "\t\n\r") || strings.Contains(word, "  ") || strings.Trim(word, " ") != word:
		return "words are separated by one space"
	}
	for _, part := range strings.Split(word, " ") {
		if part == "||" || part == "&&" || strings.HasPrefix(part, "#") {
			return "that ends a command"
		}
	}
	return ""
}
