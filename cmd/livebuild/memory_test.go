package main

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestMemorySystemd starts a system with systemd in both stages from memory, over a network and by kexec, stamped after it was
// made.
func TestMemorySystemd(t *testing.T) {
	if !*allChecks {
		t.Skip("-checks starts systemd over a network and by kexec")
	}
	module := systemdModule(t, `judge.report = "echo JUDGE-END"; environment.systemPackages = [ (pkgs.build "unit-sshd.service" { } "mkdir $out") ];`)
	folder, archive := filepath.Join(t.TempDir(), "netboot"), filepath.Join(t.TempDir(), "host.tar")
	for mode, make := range map[string][]string{"netboot-bios": {"netboot", folder}, "kexec": {"kexec", archive}} {
		t.Run(mode, func(t *testing.T) {
			o := livebuild(t, slices.Concat([]string{make[0], plainHost(t), "--module", module, "-o", make[1]}, fast)...)
			if o.status != 0 {
				t.Fatalf("livebuild %s: status %d\n%s", make[0], o.status, o.stderr)
			}
			stampOf(t, make[1], "--hostname", "lab-9", "--ssh-key", stampKey)
			b, _ := testImage(t, 0, make[1], "--modes", mode, "--memory", "2G", "--expect", "JUDGE-END", "--logs", t.TempDir())
			expectLines(t, string(readFile(t, b.Boots[0].Log)), "JUDGE-HOSTNAME lab-9\n", "JUDGE-FAILED nothing\n", "JUDGE-FILE 600 /root/.ssh/authorized_keys\n")
		})
	}
}
