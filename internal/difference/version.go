package difference

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// outputs are the names of what nixpkgs divides packages into, beside their own (Nixpkgs manual,
// "Multiple-output packages", and what single packages add).
var outputs = []string{
	"bin", "dev", "doc", "devdoc", "devman", "man", "info", "lib", "lib32", "lib64", "libgcc", "out", "static", "debug", "data", "dist", "locales", "getent",
	"modules", "nixos", "tools", "terminfo", "dicts", "py", "python", "mount", "login", "swap", "cups", "extra", "plugins", "nixsupport", "headers",
}

// hash is what the name of a store path begins with (Nix manual, "Store Path").
var hash = regexp.MustCompile(`^[0-9a-z]{32}-`)

// splitName returns package name, version and output of a store path. The version begins behind
// the first dash that no letter follows (builtins.parseDrvName), and ends before an output that
// nixpkgs is known to have: "glibc-2.40-66-bin" is the output bin of the version 2.40-66. What has no
// version is not taken apart.
func splitName(storePath string) (name, version, output string) {
	name = hash.ReplaceAllString(path.Base(storePath), "")
	for i := 0; i+1 < len(name); i++ {
		if c := name[i+1] | 0x20; name[i] == '-' && (c < 'a' || c > 'z') { // lower case
			name, version = name[:i], name[i+1:]
			break
		}
	}
	if at := strings.LastIndexByte(version, '-'); at > 0 && slices.Contains(outputs, version[at+1:]) {
		version, output = version[:at], version[at+1:]
	}
	return name, version, output
}

var component = regexp.MustCompile(`[0-9]+|[^0-9.\-]+`)

// CompareVersions compares versions as Nix does (builtins.compareVersions): by their components, numbers as
// numbers and before words; "pre" comes before all else, the end included.
func CompareVersions(a, b string) int {
	x, y := component.FindAllString(a, -1), component.FindAllString(b, -1)
	for i := range max(len(x), len(y)) {
		var p, q string
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if c := compareComponents(p, q); c != 0 {
			return c
		}
	}
	return 0
}

func compareComponents(p, q string) int {
	pNumber, qNumber := isNumber(p), isNumber(q)
	switch {
	case p == q:
		return 0
	case pNumber && qNumber:
		p, q = strings.TrimLeft(p, "0"), strings.TrimLeft(q, "0") // of any length
		if len(p) != len(q) {
			return len(p) - len(q)
		}
		return strings.Compare(p, q)
	case p == "pre", p == "" && qNumber:
		return -1
	case q == "pre", q == "" && pNumber:
		return 1
	case qNumber:
		return -1
	case pNumber:
		return 1
	}
	return strings.Compare(p, q)
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text[:min(1, len(text))], 10, 8)
	return err == nil
}
