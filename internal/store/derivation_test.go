package store

import (
	"reflect"
	"strings"
	"testing"
)

// drv is what Nix 2.8 wrote for a derivation with a quote in its script.
const drv = `Derive([("out","/nix/store/1m5l…-a","",""),("dev","/nix/store/2n6m…-a-dev","","")],[("/nix/store/3p7n…-busybox.drv",["out"])],["/nix/store/4q8p…-a,(b)\"].sh"],"aarch64-linux","/nix/store/5r9q…-busybox/bin/sh",["-euc","echo \"]),(\" > $out\n"],[("builder","/nix/store/5r9q…-busybox/bin/sh"),("name","a"),("system","aarch64-linux")])`

func TestParseDerivation(t *testing.T) {
	plain := Derivation{
		System: "aarch64-linux", Builder: "/nix/store/5r9q…-busybox/bin/sh",
		Outputs:     map[string]string{"out": "/nix/store/1m5l…-a", "dev": "/nix/store/2n6m…-a-dev"},
		Inputs:      map[string][]string{"/nix/store/3p7n…-busybox.drv": {"out"}},
		Environment: map[string]string{"builder": "/nix/store/5r9q…-busybox/bin/sh", "name": "a", "system": "aarch64-linux"},
	}
	// libstore/derivations.cc of 2.26, for outputs of outputs: a list, and what is wanted of each.
	dynamic := strings.Replace(strings.Replace(drv, "Derive(", `DrvWithVersion("xp-dyn-drv",`, 1), `["out"])]`, `(["out"],[("out",["dev"])]))]`, 1)
	for _, test := range []struct {
		name, text string
		want       Derivation
		anywhere   bool
	}{
		{"plain", drv, plain, false},
		{"version", strings.Replace(drv, "Derive(", `DrvWithVersion("xp-dyn-drv",`, 1), plain, false},
		{"dynamic", dynamic, plain, false},
		{"download", `Derive([("out","/nix/store/a","sha256","00")],[],[],"builtin","builtin:fetchurl",[],[("url","x\n\"\t\\")])`,
			Derivation{System: "builtin", Builder: "builtin:fetchurl", Outputs: map[string]string{"out": "/nix/store/a"},
				Inputs: map[string][]string{}, Environment: map[string]string{"url": "x\n\"\t\\"}}, true},
	} {
		got, err := parseDerivation(test.text)
		if err != nil || !reflect.DeepEqual(got, test.want) || got.Anywhere() != test.anywhere {
			t.Errorf("%s: parseDerivation = %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
	for _, text := range []string{"", "Derive", "Derive(", "DrvWithVersion(", `Derive([],[],[],"x86_64-linux","/bin/sh"`, "Derive(]],[],[],", `Derive([],[],["`,
		drv + ")", strings.Replace(drv, `"system","aarch64-linux"`, `"system"`, 1), "Derive" + strings.Repeat("[", 1<<20)} {
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
		if err == nil && !strings.Contains(text, d.System) && !strings.Contains(text, `\`) {
			t.Errorf("the system %q is not in the text", d.System)
		}
	})
}

func TestLocal(t *testing.T) {
	for _, test := range []struct {
		environment map[string]string
		want        bool
	}{
		{map[string]string{"preferLocalBuild": "1", "allowSubstitutes": ""}, true},
		{map[string]string{"preferLocalBuild": "1"}, false},
		{map[string]string{"preferLocalBuild": "1", "allowSubstitutes": "1"}, false},
		{map[string]string{"allowSubstitutes": ""}, false},
		{map[string]string{"__json": `{"preferLocalBuild": true, "allowSubstitutes": false}`}, true},
		{map[string]string{"__json": `{"preferLocalBuild": true}`}, false},
		{map[string]string{"__json": `{`}, false},
	} {
		if got := (Derivation{Environment: test.environment}).Local(); got != test.want {
			t.Errorf("%v: Local = %v", test.environment, got)
		}
	}
}
