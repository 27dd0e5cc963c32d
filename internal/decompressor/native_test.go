package decompressor

import (
	"fmt"
	"testing"

	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// TestNativeFilters has the filters of media whose systems are given as "PLATFORM KERNEL VERSION".
func TestNativeFilters(t *testing.T) {
	for _, test := range []struct {
		systems     []string
		asked, want string
		leftOut     string
	}{
		{[]string{"x86_64-linux 6.1"}, "native", "xz -Xbcj x86", ""},
		{[]string{"i686-linux 5.15.3"}, "native", "xz -Xbcj x86", ""},
		{[]string{"aarch64-linux 6.12.5"}, "native", "xz -Xbcj arm64", ""},
		{[]string{"armv7l-linux 6.1"}, "native", "xz -Xbcj arm,armthumb", ""},
		{[]string{"armv6l-linux 6.1"}, "native", "xz -Xbcj arm,armthumb", ""},
		{[]string{"armv5tel-linux 6.1"}, "native", "xz -Xbcj arm,armthumb", ""},
		{[]string{"powerpc64-linux 6.1"}, "native", "xz -Xbcj powerpc", ""},
		{[]string{"powerpc-linux 6.1"}, "native", "xz -Xbcj powerpc", ""},
		{[]string{"powerpc64le-linux 6.1"}, "native", "xz", ""}, // little-endian
		{[]string{"sparc64-linux 6.1"}, "native", "xz -Xbcj sparc", ""},
		{[]string{"riscv64-linux 6.12"}, "native", "xz -Xbcj riscv", ""},
		{[]string{"mips64el-linux 6.12"}, "native", "xz", ""},
		{[]string{"m88k-linux 6.12"}, "native,arm", "xz -Xbcj arm", ""},
		{[]string{"x86_64-linux 6.12", "aarch64-linux 6.12", "x86_64-linux 6.18"}, "native,ia64", "xz -Xbcj x86,ia64,arm64", ""},

		// Kernels that are too old, whichever they are: the store is one.
		{[]string{"aarch64-linux 6.6.94"}, "native", "xz", "arm64: a has Linux 6.6.94, and 6.12 is the first that reads it"},
		{[]string{"riscv64-linux 6.11"}, "native", "xz", "riscv: a has Linux 6.11, and 6.12 is the first that reads it"},
		{[]string{"aarch64-linux 6.12", "x86_64-linux 6.1"}, "native", "xz -Xbcj x86", "arm64: b has Linux 6.1, and 6.12 is the first that reads it"},
		{[]string{"x86_64-linux 6.1"}, "x86,arm64", "xz -Xbcj x86,arm64", ""}, // Check warns
		{[]string{"aarch64-linux 6.6"}, "native,arm64", "xz -Xbcj arm64", ""},
		{[]string{"aarch64-linux "}, "native", "xz -Xbcj arm64", ""},
	} {
		var systems []*nixos.System
		for i, text := range test.systems {
			sys := &nixos.System{Name: string(rune('a' + i))}
			c := nixos.Configuration{ShowConfiguration: true}
			if _, err := fmt.Sscan(text, &sys.Platform); err != nil {
				t.Fatal(err)
			}
			c.KernelVersion = text[len(sys.Platform)+1:]
			// An entry that no menu shows, of a kernel that reads nothing of late.
			sys.Configurations = []nixos.Configuration{c, {KernelVersion: "2.6.32"}}
			systems = append(systems, sys)
		}
		asked, err := codec.Parse("xz -Xbcj " + test.asked)
		if err != nil {
			t.Fatal(err)
		}
		got, left := Resolve(systems, asked)
		if got.String() != test.want {
			t.Errorf("%q with %s: %q, want %q", test.systems, test.asked, got, test.want)
		}
		if said := ""; left != nil || test.leftOut != "" {
			if left != nil {
				said = left.String()
			}
			if said != "-Xbcj native leaves out "+test.leftOut {
				t.Errorf("%q with %s: %q, want %q", test.systems, test.asked, said, test.leftOut)
			}
		}
	}
	live := &nixos.System{Platform: "aarch64-linux", Install: []nixos.Target{{Platform: "armv7l-linux"}}}
	if got, _ := Resolve([]*nixos.System{live}, codec.Settings{Name: codec.XZ, NativeBCJ: true}); got.String() != "xz -Xbcj arm,armthumb,arm64" {
		t.Errorf("with a system to install: %q", got)
	}
}
