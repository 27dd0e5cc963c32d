package nix

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseFlags(t *testing.T) {
	for _, test := range []struct{ args, eval, store, rest string }{
		{"", "", "", ""},
		{".#x -o out.iso", "", "", ".#x -o out.iso"},
		{".#x --impure -o out.iso", "--impure", "", ".#x -o out.iso"},
		{"--override-input nixpkgs path:/n .#x", "--override-input nixpkgs path:/n", "", ".#x"},
		{"--option a b", "--option a b", "--option a b", ""},
		{"-I nixpkgs=/n -j 4 -k -K", "--include nixpkgs=/n --max-jobs 4 --keep-going --keep-failed",
			"--max-jobs 4 --keep-going --keep-failed", ""},
		{"-Inixpkgs=/n -j4 --cores=2", "--include nixpkgs=/n --max-jobs 4 --cores 2", "--max-jobs 4 --cores 2", ""},
		{"--offline", "--offline",
			"--option substitute false --option download-attempts 0 --option connect-timeout 1", ""},
		{"--refresh", "--refresh",
			"--option narinfo-cache-negative-ttl 0 --option narinfo-cache-positive-ttl 0", ""},
		{"--accept-flake-config", "--accept-flake-config", "", ""},
		{"--store /s --builders ssh://b", "--store /s --builders ssh://b", "--store /s --builders ssh://b", ""},
		{"a -- --impure", "", "", "a -- --impure"},
		{"--json --jobs 3", "", "", "--json --jobs 3"},
	} {
		flags, rest, err := ParseFlags(strings.Fields(test.args))
		eval, store := strings.Join(flags.Eval, " "), strings.Join(flags.Store, " ")
		if err != nil || eval != test.eval || store != test.store || strings.Join(rest, " ") != test.rest {
			t.Errorf("ParseFlags(%q) = eval %q, store %q, rest %q, %v, want %q, %q, %q",
				test.args, eval, store, rest, err, test.eval, test.store, test.rest)
		}
	}
}

func TestParseFlagsErrors(t *testing.T) {
	for args, want := range map[string]string{
		"--option a": "--option needs NAME and VALUE",
		"-j":         "-j needs N",
	} {
		_, _, err := ParseFlags(strings.Fields(args))
		var bad *FlagError
		if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseFlags(%q) = %v, want %q", args, err, want)
		}
	}
}

func TestSettingFlags(t *testing.T) {
	got, err := settingFlags(map[string]any{
		"extra-substituters": []any{"https://a", "https://b"},
		"sandbox":            true,
		"max-jobs":           json.Number("1000000"),
	})
	want := []string{"--option", "extra-substituters", "https://a https://b",
		"--option", "max-jobs", "1000000", "--option", "sandbox", "true"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("settingFlags = %q, %v, want %q", got, err, want)
	}
	if _, err := settingFlags(map[string]any{"x": map[string]any{}}); err == nil {
		t.Error("settingFlags of a set succeeded")
	}
}
