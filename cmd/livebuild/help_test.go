package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestReadme checks that the commands of the README are those that there are.
func TestReadme(t *testing.T) {
	commands := 0
	for line := range strings.Lines(string(readFile(t, "../../README.md"))) {
		code, isCode := strings.CutPrefix(line, "    ")
		code = strings.TrimSpace(code)
		rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(code, "$ "), "bin/"), "livebuild ")
		if strings.HasPrefix(line, "```") {
			t.Fatal("the README has code between fences, which this test does not read")
		}
		if !isCode || !ok {
			continue
		}
		commands++
		for _, end := range []string{" #", "|", ">", "&&", ";"} {
			rest, _, _ = strings.Cut(rest, end)
		}
		split := exec.Command("sh", "-fc", `printf '%s\n' `+rest)
		words, err := split.Output()
		if err != nil {
			t.Errorf("%s: no command of a shell: %v", code, err)
			continue
		}
		// With --help the flags are read, and nothing is done.
		args := strings.Split(strings.TrimSuffix(string(words), "\n"), "\n")
		end := slices.Index(append(args, "--"), "--")
		args = slices.Insert(args, end, "--help")
		o := livebuild(t, args...)
		if o.status != 0 || !strings.HasPrefix(args[0], "-") && !strings.Contains(o.stdout, "livebuild "+args[0]+" ") {
			t.Errorf("%s: status %d\n%s", code, o.status, o.stderr)
		}
	}
	if commands == 0 {
		t.Error("the README shows no command")
	}
}
