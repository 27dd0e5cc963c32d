package store

import (
	"strings"
	"testing"
)

// drv is what Nix 2.8 wrote for a derivation with a quote in its script.
const drv = `Derive([("out","/nix/store/1m5l…-a","",""),("dev","/nix/store/2n6m…-a-dev","","")],[("/nix/store/3p7n…-busybox.drv",["out"])],["/nix/store/4q8p…-a,(b)\"].sh"],"aarch64-linux","/nix/store/5r9q…-busybox/bin/sh",["-euc","echo \"]),(\" > $out\n"],[("builder","/nix/store/5r9q…-busybox/bin/sh"),("name","a"),("system","aarch64-linux")])`

func TestParseDerivation(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Derivation
		anywhere   bool
	}{
		{"plain", drv, Derivation{"aarch64-linux", "/nix/store/5r9q…-busybox/bin/sh"}, false},
		{"version", strings.Replace(drv, "Derive(", `DrvWithVersion("xp-dyn-drv",`, 1), Derivation{"aarch64-linux", "/nix/store/5r9q…-busybox/bin/sh"}, false},
		{"download", `Derive([("out","/nix/store/a","sha256","00")],[],[],"builtin","builtin:fetchurl",[],[("url","x")])`,
			Derivation{"builtin", "builtin:fetchurl"}, true},
	} {
		got, err := parseDerivation(test.text)
		if err != nil || got != test.want || got.Anywhere() != test.anywhere {
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
		if err == nil && !strings.Contains(text, d.System) {
			t.Errorf("the system %q is not in the text", d.System)
		}
	})
}
