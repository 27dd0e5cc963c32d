package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// No NixOS can be had here. What livebuild adds to a stage 1 of systemd is judged by a system of
// Debian 13 with systemd 257 in both stages, whose initrd has those units as nixpkgs' would:
// testdata/systemd/module.nix makes one of a system of the mini flake. 'make systemd' lays it
// out and says in LIVEBUILD_SYSTEMD where it is. On its console it says JUDGE-HOSTNAME,
// JUDGE-ISO, JUDGE-LOOPS, JUDGE-FAILED and JUDGE-FILE of itself, and what judge.report says.

// systemdModule is the module for --module. More is that of a test, which may set judge.report, a
// script, and judge.services, units of the second stage.
func systemdModule(t testing.TB, more string) string {
	t.Helper()
	need.Nix(t)
	folder := os.Getenv("LIVEBUILD_SYSTEMD")
	if folder == "" {
		folder = "../../.work/systemd"
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "module.nix")); err != nil {
		need.Missing(t, "systemd", fmt.Sprintf("the system with systemd is not laid out: run 'make systemd' (%v)", err))
	}
	module := filepath.Join(t.TempDir(), "module.nix")
	writeFile(t, module, []byte(fmt.Sprintf("{ lib, pkgs, ... }: { imports = [ %s/module.nix ]; %s }", folder, more)))
	return module
}

// systemdImage is one with systemd, which several tests look at and none changes.
var systemdImage struct {
	sync.Once
	file string
}

func systemdISO(t testing.TB) string {
	t.Helper()
	module := systemdModule(t, `environment.systemPackages = [ (pkgs.build "unit-sshd.service" { } "mkdir $out") ];`)
	systemdImage.Do(func() {
		file := filepath.Join(filepath.Dir(program), "systemd.iso")
		o := livebuild(t, slices.Concat([]string{"iso", plainHost(t), "--module", module, "--stamp-area", "256K", "-o", file}, fast)...)
		if o.status != 0 {
			t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
		}
		systemdImage.file = file
	})
	if systemdImage.file == "" {
		t.Fatal("the image could not be made; see the first test that asked for it")
	}
	return systemdImage.file
}

// expectLines looks for texts in what a system said.
func expectLines(t testing.TB, console string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(console, want) {
			t.Errorf("the console does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("it says\n%s", console)
	}
}
