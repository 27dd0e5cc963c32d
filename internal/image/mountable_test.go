package image

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

func TestCheckKernels(t *testing.T) {
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
			err := CheckKernels([]*nixos.System{sys}, files, codec.Settings{Name: codec.Zstd, Level: 19})
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
