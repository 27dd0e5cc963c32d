package trial

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

func TestBenchMarks(t *testing.T) {
	row := func(name string, seconds float64, megabytes int64, marks ...string) Row {
		return Row{Compression: name, Seconds: seconds, Size: megabytes * 1e6, TriedSize: megabytes, Marks: marks}
	}
	tests := map[string]struct {
		rows []Row
		want string
	}{
		"nothing": {nil, ""},
		"alone":   {[]Row{row("xz", 90, 100)}, "xz"},
		// 42, 33 and 316 s until it is on a stick.
		"between":               {[]Row{row("lz4", 5, 740), row("zstd:3", 8, 500), row("xz", 296, 400)}, "lz4, zstd:3 quick, xz smallest"},
		"many processors":       {[]Row{row("lz4", 2, 740), row("zstd:3", 3, 500), row("xz", 5, 400)}, "lz4, zstd:3, xz quick smallest"},
		"nothing gained":        {[]Row{row("lz4", 1, 500), row("xz", 90, 499)}, "lz4 quick, xz smallest"},
		"configured stays":      {[]Row{row("lz4", 1, 500, Configured), row("xz", 90, 499)}, "lz4 configured quick, xz smallest"},
		"kernel cannot read it": {[]Row{row("lz4", 1, 500), row("zstd:3", 2, 499), row("xz", 3, 50, Unreadable)}, "lz4 quick, zstd:3 smallest, xz " + Unreadable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := Comparison{Trials: test.rows}
			r.mark()
			var got []string
			for _, row := range r.Trials {
				got = append(got, strings.Join(append([]string{row.Compression}, row.Marks...), " "))
			}
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// The configuration's own compression is tried once, however it is written.
func TestDefaultCompressions(t *testing.T) {
	for text, want := range map[string]int{
		"zstd -Xcompression-level 19":      len(triedByDefault),
		"xz -Xdict-size 100%":              len(triedByDefault),
		"gzip":                             len(triedByDefault) + 1,
		"zstd -Xcompression-level 6 -b 1M": len(triedByDefault),
		"zstd:6 -b 256K":                   len(triedByDefault) + 1,
	} {
		own, err := codec.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list, lacking := Defaults(own)
		missing := len(lacking) // what this build lacks
		if len(list) != want-missing {
			t.Errorf("%s: %s", text, fmt.Sprint(list))
		}
		if missing == 0 && !slices.Contains(list, own) {
			t.Errorf("%s is not among %v", text, list)
		}
	}
}
