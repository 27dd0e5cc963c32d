package netboot

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/manifest"
)

// BootOf is what a manifest says of a boot, with further initrds behind the others.
func BootOf(m *manifest.Boot, further ...string) Boot {
	first, rest, _ := strings.Cut(m.CommandLine, " ")
	b := Boot{Title: m.Title, Kernel: m.Kernel, Initrds: append(append([]string{}, m.Initrds...), further...), Params: []string{first}}
	if rest != "" {
		b.Params = append(b.Params, rest)
	}
	return b
}

// Resum is a list of sums, as sha256sum has it, with others of the files of a boot that are named, which have been made
// anew, and without those that are no longer there. The order is that of a folder that was made so. A file of which neither
// knows the sum is an error.
func Resum(list []byte, boot Boot, anew map[string][32]byte) ([]byte, error) {
	known := map[string]string{}
	for line := range strings.Lines(string(list)) {
		if sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  "); ok {
			known[name] = sum
		}
	}
	for name, sum := range anew {
		known[name] = fmt.Sprintf("%x", sum)
	}
	var b bytes.Buffer
	for _, name := range append(append([]string{boot.Kernel}, boot.Initrds...), Script) {
		sum, ok := known[name]
		if !ok {
			return nil, &FolderError{"the folder", "has a " + Sums + " without " + name}
		}
		fmt.Fprintf(&b, "%s  %s\n", sum, name)
	}
	return b.Bytes(), nil
}
