package nix

import (
	"strings"
	"testing"
)

// drv is what Nix 2.8 wrote for a derivation with a quote in its script.
const drv = `Derive([("out","/nix/store/1m5l…-a","",""),("dev","/nix/store/2n6m…-a-dev","","")],[("/nix/store/3p7n…-busybox.drv",["out"])],["/nix/store/4q8p…-a,(b)\"].sh"],"aarch64-linux","/nix/store/5r9q…-busybox/bin/sh",["-euc","echo \"]),(\" > $out\n"],[("builder","/nix/store/5r9q…-busybox/bin/sh"),("name","a"),("system","aarch64-linux")])`

func TestParseDerivation(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       derivation
		anywhere   bool
	}{
		{"plain", drv, derivation{"aarch64-linux", "/nix/store/5r9q…-busybox/bin/sh"}, false},
		{"version", strings.Replace(drv, "Derive(", `DrvWithVersion("xp-dyn-drv",`, 1), derivation{"aarch64-linux", "/nix/store/5r9q…-busybox/bin/sh"}, false},
		{"download", `Derive([("out","/nix/store/a","sha256","00")],[],[],"builtin","builtin:fetchurl",[],[("url","x")])`,
			derivation{"builtin", "builtin:fetchurl"}, true},
	} {
		got, err := parseDerivation(test.text)
		if err != nil || got != test.want || got.anywhere() != test.anywhere {
			t.Errorf("%s: parseDerivation = %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
	for _, text := range []string{"", "Derive", "Derive(", "DrvWithVersion(", `Derive([],[],[],"x86_64-linux","/bin/sh"`, "Derive(]],[],[],", `Derive([],[],["`} {
		if got, err := parseDerivation(text); err == nil {
			t.Errorf("parseDerivation(%q) = %+v, want an error", text, got)
		}
	}
}

func FuzzParseDerivation(f *testing.F) {
	f.Add(drv)
	f.Add(`DrvWithVersion("xp-dyn-drv",[],[],[],"s","b",[],[])`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDerivation(text)
		if err == nil && !strings.Contains(text, d.system) {
			t.Errorf("the system %q is not in the text", d.system)
		}
	})
}

// TestDerivationOfNix reads what the real Nix writes.
func TestDerivationOfNix(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("platforms", `{
		here = sh "here" "";
		there = on "riscv64-linux" "there" "";
		structured = derivation { name = "structured"; system = "riscv64-linux"; builder = "/bin/sh"; __structuredAttrs = true; };
	}`)
	var paths []string
	for _, target := range l.targets(folder, "here", "there", "structured") {
		paths = append(paths, target.Path)
	}
	found, err := l.ForPlatform(t.Context(), paths, "riscv64-linux")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || !strings.Contains(strings.Join(found, " "), "-there.drv") || !strings.Contains(strings.Join(found, " "), "-structured.drv") {
		t.Errorf("ForPlatform = %q of %q", found, paths)
	}
}
