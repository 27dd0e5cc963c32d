package device

import (
	"strconv"
	"strings"
)

// mount is a line of /proc/self/mountinfo, as far as it matters here.
type mount struct {
	device Number
	point  string
	fsType string
	source string
}

// The fields of a line (proc_pid_mountinfo(5)):
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//
// mount ID, parent ID, major:minor, root, mount point, mount options, any
// number of optional fields, a hyphen, type, source, super options.
const (
	fieldDevice   = 2
	fieldPoint    = 4
	fieldOptional = 6
)

// parseMountinfo reads the mounts. What it cannot read it leaves out: the
// kernel still refuses to give away a disk that is mounted.
func parseMountinfo(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < fieldOptional {
			continue
		}
		n, err := parseNumber(fields[fieldDevice])
		if err != nil {
			continue
		}
		m := mount{device: n, point: unescape(fields[fieldPoint])}
		for i := fieldOptional; i < len(fields)-2; i++ {
			if fields[i] == "-" {
				m.fsType, m.source = fields[i+1], unescape(fields[i+2])
				break
			}
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// parseSwaps returns the names of /proc/swaps: a heading, then lines that begin
// with a name.
func parseSwaps(text string) []string {
	var names []string
	_, text, _ = strings.Cut(text, "\n")
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 {
			names = append(names, unescape(fields[0]))
		}
	}
	return names
}

// unescape puts back the characters that the kernel writes as a backslash and
// three octal digits (mangle_path in fs/seq_file.c).
func unescape(s string) string {
	const digits = 3
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+digits < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+1+digits], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += digits
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
