package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// planned is what 'livebuild plan --json' prints.
type planned struct {
	Configuration string
	Extended      bool
	System        string
	BuildSystem   string `json:"build_system"`
	Builder       string
	Toplevel      string
	Systems       []plannedSystem
	File          string
	VolumeID      string `json:"volume_id"`
	Modes         []string
	Compression   string
	Epoch         int64
	Timeout       *int
	StoreContents []string `json:"store_contents"`
	Installs      []struct {
		Name, Configuration, Toplevel, Firmware string
		Disks                                   []string
		Flake                                   *string
		StorePaths                              *int `json:"store_paths"`
		Bytes                                   *int64
	}
	Entries       []menuEntry
	Files         []struct{ Target, Source string }
	Build, Fetch  []string
	DownloadBytes int64 `json:"download_bytes"`
}

type plannedSystem struct {
	Configuration, System, Toplevel string
	Extended, Default               bool
	BuildSystem                     string `json:"build_system"`
	Builder                         string
	Store                           *share
}

// share is what of the store one of several systems takes.
type share struct {
	StorePaths int   `json:"store_paths"`
	StoreBytes int64 `json:"store_bytes"`
	AddedPaths int   `json:"added_paths"`
	AddedBytes int64 `json:"added_bytes"`
}

type menuEntry struct {
	Platform, Of string

	Menu, Title, Kernel, Initrd, Line string

	DeviceTree string `json:"device_tree"`
}

func plan(t testing.TB, args ...string) planned {
	t.Helper()
	return call{}.plan(t, args...)
}

func (c call) plan(t testing.TB, args ...string) planned {
	t.Helper()
	o := c.livebuild(t, append([]string{"plan", "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("livebuild plan %q: status %d\n%s", args, o.status, o.stderr)
	}
	return decodePlan(t, o.stdout)
}

func decodePlan(t testing.TB, text string) planned {
	t.Helper()
	var p planned
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("the plan is %q: %v", text, err)
	}
	return p
}

// TestPlanIsTrue compares the plan with the image.
func TestPlanIsTrue(t *testing.T) {
	t.Parallel()
	r := miniISO(t)
	p := plan(t, miniFlake(t)+"#mini")
	got := fmt.Sprint(p.Configuration, p.System, p.Toplevel, p.File, p.VolumeID, p.Modes, p.Compression, p.StoreContents)
	want := fmt.Sprint("mini", r.System, r.Toplevel, miniName, r.VolumeID, r.Modes, r.Compression, []string{r.Toplevel})
	if got != want {
		t.Errorf("the plan has\n%s\nthe image\n%s", got, want)
	}

	medium := extracted(t, r.File)
	targets := map[string]bool{}
	for _, f := range p.Files {
		targets[f.Target] = true
		if _, err := os.Stat(filepath.Join(medium, f.Target)); err != nil {
			t.Errorf("the plan has %s, the medium has not", f.Target)
		}
	}
	for name, text := range list(t, medium) {
		if strings.HasPrefix(text, "file") && !targets["/"+name] && !targets[filepath.Dir("/"+name)] {
			t.Errorf("the medium has /%s, the plan has not", name)
		}
	}

	for loader, entries := range map[string][]menuEntry{
		"GRUB":     grubEntries(t, string(readFile(t, filepath.Join(medium, "EFI/BOOT/grub.cfg")))),
		"isolinux": isolinuxEntries(t, string(readFile(t, filepath.Join(medium, "isolinux/isolinux.cfg")))),
	} {
		if !slices.Equal(entries, p.Entries) {
			t.Errorf("%s offers\n%q\nthe plan has\n%q", loader, entries, p.Entries)
		}
	}

	o := livebuild(t, "plan", miniFlake(t)+"#mini")
	for _, f := range p.Files {
		if !strings.Contains(o.stdout, "\n  "+f.Target+" ") || !strings.Contains(o.stdout, f.Source) {
			t.Errorf("the text of the plan lacks %s, which comes from %q", f.Target, f.Source)
		}
	}
	for _, text := range []string{p.Toplevel, p.VolumeID, p.File, p.Compression, p.Entries[0].Line, p.Entries[0].Kernel,
		"Options > Copy ISO Files to RAM: copytoram\n", "to build: 0 derivations\n"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("the text of the plan lacks %q:\n%s", text, o.stdout)
		}
	}
}

// grubEntries reads the entries of grub.cfg that start a kernel.
func grubEntries(t testing.TB, text string) []menuEntry {
	t.Helper()
	var entries []menuEntry
	var submenu, title string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "submenu":
			submenu = unquoted(t, rest)
		case "menuentry":
			title = unquoted(t, rest)
		case "linux":
			kernel, params, _ := strings.Cut(rest, " ${isoboot} ")
			entries = append(entries, menuEntry{Menu: submenu, Title: title, Kernel: kernel, Line: params})
		case "initrd":
			entries[len(entries)-1].Initrd = strings.ReplaceAll(rest, " ", ",")
		}
	}
	return entries
}

func unquoted(t testing.TB, text string) string {
	t.Helper()
	m := regexp.MustCompile(`^(?:'([^']*)'|(\S+)) `).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%q does not begin with a word", text)
	}
	return m[1] + m[2]
}

// isolinuxEntries reads the entries of isolinux.cfg.
func isolinuxEntries(t testing.TB, text string) []menuEntry {
	t.Helper()
	var entries []menuEntry
	submenu := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		value := func(key string) bool {
			rest, ok := strings.CutPrefix(line, key+" ")
			if ok {
				line = rest
			}
			return ok
		}
		switch {
		case value("MENU BEGIN"):
			submenu = line
		case value("LABEL"):
			entries = append(entries, menuEntry{Menu: submenu})
		case value("MENU LABEL"):
			entries[len(entries)-1].Title = line
		case value("LINUX"):
			entries[len(entries)-1].Kernel = line
		case value("INITRD"):
			entries[len(entries)-1].Initrd = line
		case value("APPEND"):
			entries[len(entries)-1].Line = line
		}
	}
	return entries
}

// TestPlanBuildsNothing plans a configuration that was never built.
func TestPlanBuildsNothing(t *testing.T) {
	dir := flakeOf(t, fmt.Sprintf(`{ a = nixosSystem { packages = p: [ (p.build "mini-unbuilt" { when = "%d"; } "echo > $out") ]; }; }`,
		time.Now().UnixNano()))
	c := call{dir: dir}
	p := c.plan(t, ".#a")
	i := slices.IndexFunc(p.Build, func(drv string) bool { return strings.HasSuffix(drv, "-mini-unbuilt.drv") })
	if i < 0 {
		t.Fatalf("the plan builds %q, not mini-unbuilt", p.Build)
	}
	if !slices.ContainsFunc(p.Build[i:], func(drv string) bool { return strings.Contains(drv, "-nixos-system-") }) {
		t.Errorf("the plan builds %q, want the system after mini-unbuilt", p.Build)
	}
	dry := c.livebuild(t, "iso", ".#a", "--dry-run", "--json")
	if got := decodePlan(t, dry.stdout); !reflect.DeepEqual(got, p) {
		t.Errorf("iso --dry-run says\n%+v\nplan says\n%+v", got, p)
	}
	if text, plan := c.livebuild(t, "iso", ".#a", "--dry-run").stdout, c.livebuild(t, "plan", ".#a").stdout; text != plan {
		t.Errorf("iso --dry-run says\n%s\nplan says\n%s", text, plan)
	}
	for _, drv := range p.Build {
		for output := range strings.FieldsSeq(judge(t, "nix-bin", "nix-store", "--query", "--outputs", drv)) {
			if _, err := os.Lstat(output); err == nil {
				t.Errorf("%s was built", output)
			}
		}
	}
	checkNames(t, dir, "flake.lock", "flake.nix")
}

// TestPlanOfOtherPlatform plans what cannot be built here.
func TestPlanOfOtherPlatform(t *testing.T) {
	t.Parallel()
	p := unregistered(t, nil).plan(t, miniFlake(t)+"#mini-arm")
	if got := fmt.Sprintln(p.System, p.Modes); got != "aarch64-linux [uefi-cd uefi-usb]\n" {
		t.Errorf("the plan is for %s", got)
	}
	for _, target := range []string{"/EFI/BOOT/BOOTAA64.EFI", "/boot/efi.img", "/" + squashfsName} {
		if !slices.ContainsFunc(p.Files, func(f struct{ Target, Source string }) bool { return f.Target == target }) {
			t.Errorf("the plan lacks %s", target)
		}
	}
	if got := p.BuildSystem + " by " + p.Builder; got != "aarch64-linux by nobody" {
		t.Errorf("it would be built on %s", got)
	}
	for builder, system := range map[string]string{"another machine": "ssh://nowhere.invalid aarch64-linux", "nobody": "ssh://nowhere.invalid"} {
		p := unregistered(t, nil).plan(t, miniFlake(t)+"#mini-arm", "--builders", system)
		if p.Builder != builder {
			t.Errorf("with the builders %q it would be built by %s, want %s", system, p.Builder, builder)
		}
	}
}

// TestInstallables tries the ways to name a configuration.
func TestInstallables(t *testing.T) {
	mini := miniFlake(t)
	one := flakeOf(t, `{ "the.only-one" = nixosSystem { }; }`)
	spaces := filepath.Join(t.TempDir(), "a folder")
	if err := os.Rename(flakeOf(t, `{ x = nixosSystem { }; }`), spaces); err != nil {
		t.Fatal(err)
	}
	repository := flakeOf(t, `{ x = nixosSystem { }; }`)
	deep := filepath.Join(repository, "deep/down")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	judge(t, "git", "git", "init", "--quiet", repository)
	judge(t, "git", "git", "-C", repository, "add", "flake.nix", "flake.lock")

	tests := map[string]struct {
		dir, installable, want string
	}{
		"dots and hyphens":          {"", mini + "#my.host-1", "my.host-1"},
		"quoted":                    {"", mini + `#"my.host-1"`, "my.host-1"},
		"in full":                   {"", mini + "#nixosConfigurations.mini", "mini"},
		"in full with dots":         {"", mini + "#nixosConfigurations.my.host-1", "my.host-1"},
		"path reference":            {"", "path:" + mini + "#mini", "mini"},
		"here":                      {mini, ".#mini", "mini"},
		"here, without a reference": {mini, "#mini", "mini"},
		"the only one":              {one, ".", "the.only-one"},
		"the file":                  {one, "./flake.nix", "the.only-one"},
		"a file below":              {filepath.Dir(one), "./" + filepath.Base(one) + "/flake.nix", "the.only-one"},
		"folder above":              {filepath.Join(repository, "deep"), "..#x", "x"},
		"folder below":              {filepath.Dir(one), "./" + filepath.Base(one), "the.only-one"},
		"spaces":                    {spaces, ".#x", "x"},
		"root of the repository":    {repository, ".#x", "x"},
		"below the root":            {deep, ".#x", "x"},
		"git reference":             {"", "git+file://" + repository + "#x", "x"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (call{dir: test.dir}).plan(t, test.installable).Configuration; got != test.want {
				t.Errorf("the plan is of %q, want %q", got, test.want)
			}
		})
	}
}

// TestFlagsOfNix checks that flags have their effect on Nix.
func TestFlagsOfNix(t *testing.T) {
	other := func(id string) string {
		return rawFlake(t, fmt.Sprintf(`{ outputs = _: { id = "%s"; }; }`, id))
	}
	first, second := other("FIRST"), other("SECOND")
	flake := fmt.Sprintf(`{
  inputs.mini.url = "path:%s";
  inputs.other.url = "path:%s";
  outputs = { self, mini, other }:
    let nixosSystem = import "${mini}/config.nix"; in
    {
      nixosConfigurations = {
        input = nixosSystem { settings.isoImage.volumeID = other.id; };
        environment = nixosSystem { settings.isoImage.volumeID = builtins.getEnv "VOLUME_ID"; };
        search = nixosSystem { settings.isoImage.volumeID = ((import <other/flake.nix>).outputs { }).id; };
        import = nixosSystem { settings.isoImage.volumeID = import ((nixosSystem { }).pkgs.build "mini-id" { } "echo '\"BUILT\"' > $out"); };
      };
    };
}`, miniFlake(t), first)
	forbid := []string{"--option", "allow-import-from-derivation", "false"}
	tests := map[string]struct {
		name  string
		flags []string
		want  string // volume ID, or text of the error
	}{
		"none":                   {"input", nil, "FIRST"},
		"override-input":         {"input", []string{"--override-input", "other", "path:" + second}, "SECOND"},
		"flags before":           {"input", []string{"--offline", "--refresh", "--no-write-lock-file", "--accept-flake-config", "--builders", "", "-j1", "--cores=2"}, "FIRST"},
		"no-update-lock-file":    {"input", []string{"--no-update-lock-file"}, "lock file changes"},
		"impure":                 {"environment", []string{"--impure"}, "ENVIRONMENT"},
		"include":                {"search", []string{"--impure", "-I", "other=" + second}, "SECOND"},
		"import":                 {"import", nil, "BUILT"},
		"option":                 {"import", forbid, "allow-import-from-derivation"},
		"option to the contrary": {"import", slices.Concat(forbid, []string{"--option", "allow-import-from-derivation", "true"}), "BUILT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := rawFlake(t, flake)
			c := call{dir: dir, env: []string{"VOLUME_ID=ENVIRONMENT"}}
			args := slices.Concat(test.flags, []string{"plan", ".#" + test.name, "--json"})
			o := c.livebuild(t, args...)
			if o.status != 0 {
				checkRefusal(t, o, 1, test.want)
			} else if got := decodePlan(t, o.stdout).VolumeID; got != test.want {
				t.Errorf("the volume ID is %q, want %q", got, test.want)
			}
			// A build pins what it was made of, unless it is told not to or
			// what it was made of is not what the flake says.
			want := []string{"flake.lock", "flake.nix"}
			if strings.Contains(strings.Join(test.flags, " "), "-lock-file") || name == "override-input" {
				want = want[1:]
			}
			checkNames(t, dir, want...)
		})
	}
}
