package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/livebuild/livebuild/internal/testdisk"
)

// TestPersistSystemd boots a stick with systemd in its stage 1, by -checks: what the first boot left is there in the
// second, by the other firmware; what is stamped onto it, words for the command line too, counts as long as it is stamped.
func TestPersistSystemd(t *testing.T) {
	if !*allChecks {
		t.Skip("it takes four boots; -checks runs it")
	}
	module := systemdModule(t, `
	  environment.systemPackages = [ (pkgs.build "unit-sshd.service" { } "mkdir $out") ];
	  judge.report = ''
	    echo "JUDGE-ROOT $(findmnt -n -o SOURCE,FSTYPE /)"
	    echo "JUDGE-STORE $(findmnt -n -o OPTIONS /nix/store | tail -n 1)"
	    echo "JUDGE-BOOTS $(cat /home/boots | wc -l) $(cat /nix/store/.judge-written /nix/var/judge | tr '\n' ' ')"
	    echo boot >> /home/boots
	    echo store > /nix/store/.judge-written
	    mkdir -p /nix/var && echo var > /nix/var/judge
	    echo "JUDGE-KEYS $(grep -c "^ssh-" /root/.ssh/authorized_keys)"
	    for command in /nix/store/*-livebuild-persist/bin/livebuild-persist; do
	      echo "JUDGE-STATUS $(sh $command status | tr '\n' ' ')"
	    done
	    echo "JUDGE-DONE"
	    systemctl --no-block poweroff
	  '';`)
	image := filepath.Join(t.TempDir(), "keeping.iso")
	o := livebuild(t, slices.Concat([]string{
		"iso", plainHost(t), "--persistent", "--stamp-area", "256K", "--stamp-params", "--module", module,
		"--kernel-param", "no_timer_check", "--kernel-param", "panic=1", "-o", image,
	}, fast)...)
	if o.status != 0 {
		t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	file := testdisk.Sparse(t, 700*mib)
	boot := func(uefi bool, stamped []string, wanted ...string) string {
		t.Helper()
		args := []string{"write", image, "", "--yes", "--persist"}
		s := stickOf(t, file)
		args[2] = s.name
		if o := livebuild(t, append(args, stamped...)...); o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		testdisk.Detach(t, s.path, file)
		console := bootUntilOff(t, file, uefi, "JUDGE-DONE", nil)
		says(t, console, append(wanted, "JUDGE-FAILED nothing")...)
		k := keeps(t, stick{file: file})
		judge(t, "e2fsprogs", "e2fsck", "-f", "-n", fmt.Sprintf("%s?offset=%d", file, k.Start))
		return console
	}
	kept := []string{"JUDGE-ROOT /dev/sda3 ext4", "JUDGE-ISO /dev/loop", "JUDGE-STATUS files are kept on /dev/sda3"}
	console := boot(false, nil, append(kept, "JUDGE-BOOTS 0")...)
	if !regexp.MustCompile(`JUDGE-STORE .*upperdir=/sysroot/\.livebuild/nix-[0-9a-f]{32}/store`).MatchString(console) {
		t.Error("the store is not the stick's")
	}
	boot(true, []string{"--hostname", "lab-3", "--ssh-key", stampKey}, append(kept, "JUDGE-BOOTS 1 store var", "JUDGE-HOSTNAME lab-3", "JUDGE-KEYS 1")...)
	boot(false, []string{"--hostname", "lab-4", "--kernel-param", "livebuild.persist=no"}, "JUDGE-ROOT tmpfs tmpfs", "JUDGE-ISO /dev/sda",
		"JUDGE-BOOTS 0", "JUDGE-STATUS nothing is kept", "JUDGE-HOSTNAME lab-4", "!JUDGE-KEYS 1")
	boot(true, nil, append(kept, "JUDGE-BOOTS 2 store var", "JUDGE-HOSTNAME localhost", "!JUDGE-FILE", "!JUDGE-KEYS 1")...)
}
