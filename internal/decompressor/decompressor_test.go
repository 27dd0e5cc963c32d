package decompressor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/kernel"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// config makes a kernel's configuration of options that are built in.
func config(options ...string) kernel.Config {
	c := kernel.Config{}
	for _, o := range options {
		c[o] = "y"
	}
	return c
}

func TestMissingOptions(t *testing.T) {
	all := []string{"SQUASHFS", "SQUASHFS_ZLIB", "SQUASHFS_LZ4", "SQUASHFS_XZ", "SQUASHFS_ZSTD", "XZ_DEC_X86", "XZ_DEC_ARM64"}
	for text, wanted := range map[string][]string{
		"none":                {"SQUASHFS", "SQUASHFS_ZLIB"},
		"gzip:1":              {"SQUASHFS", "SQUASHFS_ZLIB"},
		"lz4 -Xhc":            {"SQUASHFS", "SQUASHFS_LZ4"},
		"zstd:19":             {"SQUASHFS", "SQUASHFS_ZSTD"},
		"xz -Xdict-size 100%": {"SQUASHFS", "SQUASHFS_XZ"},
		"xz -Xbcj x86,arm64":  {"SQUASHFS", "SQUASHFS_XZ", "XZ_DEC_X86", "XZ_DEC_ARM64"},
	} {
		s, err := codec.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if missing := missingOptions(config(all...), s); missing != nil {
			t.Errorf("%s: %q is missing of all", text, missing)
		}
		if missing := missingOptions(config(wanted...), s); missing != nil {
			t.Errorf("%s: %q is missing of %q", text, missing, wanted)
		}
		for _, option := range wanted {
			without := slices.DeleteFunc(slices.Clone(all), func(o string) bool { return o == option })
			if missing := missingOptions(config(without...), s); !slices.Equal(missing, []string{"CONFIG_" + option}) {
				t.Errorf("%s without %s: %q is missing", text, option, missing)
			}
		}
	}
	if missing := missingOptions(kernel.Config{"SQUASHFS": "m", "SQUASHFS_XZ": "y"}, codec.Settings{Name: codec.XZ}); missing != nil {
		t.Errorf("as a module: %q is missing", missing)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	secret := t.TempDir()
	file := func(name, configuration string) string {
		path := filepath.Join(dir, name, "bzImage")
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("a kernel without configuration"), 0o644); err != nil {
			t.Fatal(err)
		}
		if configuration != "" {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "config"), []byte(configuration), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return "/nix/store/" + name + "/bzImage"
	}
	able := file("able", "CONFIG_SQUASHFS=m\nCONFIG_SQUASHFS_ZSTD=y\nCONFIG_SQUASHFS_XZ=y\n")
	unable := file("unable", "CONFIG_SQUASHFS=m\nCONFIG_SQUASHFS_ZLIB=y\n# CONFIG_SQUASHFS_ZSTD is not set\n")
	silent := file("silent", "")
	// A kernel whose configuration is somebody else's is as good as without.
	leading := file("leading", "")
	for link, target := range map[string]string{filepath.Join(dir, "leading/config"): filepath.Join(secret, "config"), filepath.Join(dir, "outside"): secret} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bzImage", "config"} {
		if err := os.WriteFile(filepath.Join(secret, name), []byte("CONFIG_SQUASHFS=m\nCONFIG_SQUASHFS_ZLIB=y\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := storefs.New("/nix/store", dir, []string{"/nix/store/able", "/nix/store/unable", "/nix/store/silent", "/nix/store/leading", "/nix/store/outside"})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	for name, test := range map[string]struct {
		kernels []string
		hidden  string
		fails   bool
	}{
		"able":              {[]string{able}, "", false},
		"not to be read":    {[]string{silent}, "", false},
		"not there":         {[]string{"/nix/store/able/nothing"}, "", false},
		"not in the store":  {[]string{filepath.Join(secret, "bzImage"), "/nix/store/outside/bzImage"}, "", false},
		"not its own":       {[]string{leading}, "", false},
		"unable":            {[]string{unable}, "", true},
		"specialisation":    {[]string{able, silent, unable}, "", true},
		"hidden from menus": {[]string{able}, unable, false},
	} {
		t.Run(name, func(t *testing.T) {
			sys := &nixos.System{}
			for _, k := range test.kernels {
				sys.Configurations = append(sys.Configurations, nixos.Configuration{Kernel: k, ShowConfiguration: true})
			}
			if test.hidden != "" {
				sys.Configurations = append(sys.Configurations, nixos.Configuration{Kernel: test.hidden})
			}
			err := Check([]*nixos.System{sys}, files, codec.Settings{Name: codec.Zstd, Level: 19})
			var unmountable *UnmountableError
			if errors.As(err, &unmountable) != test.fails {
				t.Fatalf("%v", err)
			}
			if !test.fails {
				return
			}
			if want := fmt.Sprintf("%s cannot read a store compressed with zstd:19: it was built without CONFIG_SQUASHFS_ZSTD", unable); err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
			if got := strings.Join(unmountable.Readable, " "); got != codec.Gzip {
				t.Errorf("it could read %q", got)
			}
		})
	}
}

// TestCheckOldKernels has kernels without configuration, of which the version alone tells what they read.
func TestCheckOldKernels(t *testing.T) {
	dir := t.TempDir()
	file := func(name, version string) string {
		path := filepath.Join(dir, name)
		// As of a kernel for aarch64, which is not packed: its version is in the text that it greets with.
		text := "\x00Linux version %s (%s)\x00" + "Linux version " + version + " (nixbld@localhost) #1-NixOS SMP\x00"
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return "/nix/store/" + name
	}
	old, first, later, next := file("old", "6.6.94"), file("first", "6.12.0-rc1"), file("later", "6.12"), file("next", "10.0.1")
	strange := file("strange", "7")
	files, err := storefs.New("/nix/store", dir, []string{"/nix/store/old", "/nix/store/first", "/nix/store/later", "/nix/store/next", "/nix/store/strange"})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	for _, c := range []struct {
		kernel, compression, want string
	}{
		{old, "xz -Xbcj x86,arm64", old + " cannot read a store compressed with xz -Xbcj x86,arm64: it is of Linux 6.6.94, and Linux 6.12 was the first with the filter arm64"},
		{old, "xz -Xbcj riscv", old + " cannot read a store compressed with xz -Xbcj riscv: it is of Linux 6.6.94, and Linux 6.12 was the first with the filter riscv"},
		{old, "xz -Xbcj x86,powerpc,ia64,arm,armthumb,sparc", ""},
		{old, "xz", ""},
		{first, "xz -Xbcj arm64", ""},
		{later, "xz -Xbcj arm64", ""},
		{next, "xz -Xbcj arm64", ""},
		{strange, "xz -Xbcj arm64", ""},
	} {
		s, err := codec.Parse(c.compression)
		if err != nil {
			t.Fatal(err)
		}
		sys := &nixos.System{Configurations: []nixos.Configuration{{Kernel: c.kernel, ShowConfiguration: true}}}
		err = Check([]*nixos.System{sys}, files, s)
		if got := fmt.Sprint(err); c.want != "" && got != c.want || c.want == "" && err != nil {
			t.Errorf("%s of %s: %v, want %q", c.compression, c.kernel, err, c.want)
		}
		var unmountable *UnmountableError
		if errors.As(err, &unmountable) && slices.ContainsFunc(unmountable.Readable, func(r string) bool { return strings.Contains(r, "arm64") || strings.Contains(r, "riscv") }) {
			t.Errorf("it could read %q", unmountable.Readable)
		}
	}
}
