package judge

import "testing"

func TestSummarize(t *testing.T) {
	for want, leftOut := range map[string]map[string]string{
		"":                                nil,
		"1 test left out: needs root (1)": {"TestA": "root"},
		"4 tests left out: need root (2), git (1), nix (1)": {"TestA": "nix", "TestB": "root", "TestC/c": "root", "TestD": "git"},
	} {
		if got := summarize(leftOut); got != want {
			t.Errorf("%v: %q, want %q", leftOut, got, want)
		}
	}
}
