// Package builders reads which machines Nix is told to build on.
//
// Reference: the Nix reference manual (nix.dev/manual/nix), "Remote builds".
package builders

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// mostFiles is how many files with machines may name each other.
const mostFiles = 8

// Build reports whether one of the machines builds for a platform. The text is that of Nix's
// setting builders: machines separated by semicolons or lines, or @ and a file with them. System is
// the platform of machines that name none. What cannot be read may be able to.
func Build(text, platform, system string) bool { return build(text, platform, system, mostFiles) }

// build follows so many files.
func build(text, platform, system string, files int) bool {
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ';' }) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if file, ok := strings.CutPrefix(line, "@"); ok {
			more, err := os.ReadFile(strings.TrimSpace(file))
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil || files == 0:
				return true
			case build(string(more), platform, system, files-1):
				return true
			}
			continue
		}
		if strings.HasPrefix(line, "[") { // TOML, which Lix reads, too
			return true
		}
		fields := strings.Fields(line)
		systems := system
		if len(fields) > 1 && fields[1] != "-" {
			systems = fields[1]
		}
		if slices.Contains(strings.Split(systems, ","), platform) {
			return true
		}
	}
	return false
}
