package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// figures are what differs between runs: numbers, sums, the version.
var figures = regexp.MustCompile(`\d+(\.\d+)? [kMGT]?B|\d+(\.\d+)?|\bdevelopment\b|SHA256:\S+`)

// TestReadmeSessions types the sessions of the README that a stick is used in, and looks for the lines that they show:
// all of them, in their order, with other figures. What is not shown is not looked for.
func TestReadmeSessions(t *testing.T) {
	need.Root(t)
	stampable := stampableISO(t)
	const stick, device = "/dev/disk/by-id/usb-stick", "/dev/sdb"
	sessions := 0
	for _, b := range codeBlocks(t) {
		if b.page != "README.md" || !strings.Contains(b.code, stick) {
			continue
		}
		sessions++
		t.Run(b.String(), func(t *testing.T) {
			s, folder := newStick(t, 700*mib), docsFolder(t, stampable, []codeBlock{b})
			bin := t.TempDir()
			if err := os.Symlink(program, filepath.Join(bin, "livebuild")); err != nil {
				t.Fatal(err)
			}
			// Of each command, the lines that are shown of it.
			for _, part := range strings.Split("\n"+b.code, "\n$ ")[1:] {
				command, shown, _ := strings.Cut(part, "\n")
				cmd := exec.Command("bash", "-euc", strings.ReplaceAll(command, stick, s.name)+" 2>&1")
				cmd.Dir = folder
				cmd.Env = environment(t, "HOME="+folder, "PATH="+bin+":"+os.Getenv("PATH"))
				o := runCommand(t, cmd)
				if o.status != 0 {
					t.Fatalf("%s: status %d\n%s", command, o.status, o.stdout)
				}
				rest := figures.ReplaceAllString(strings.NewReplacer(s.path, device, s.name, stick).Replace(o.stdout), "N")
				for line := range strings.Lines(shown) {
					line = figures.ReplaceAllString(strings.TrimSuffix(line, "\n"), "N")
					before, after, ok := strings.Cut("\n"+rest, "\n"+line+"\n")
					if !ok && line != "" {
						t.Errorf("%s: it does not print %q, or not here:\n%s\nafter\n%s", command, line, rest, before)
						break
					}
					rest = after
				}
			}
			if content := readFile(t, s.file); !bytes.HasPrefix(content[0x8001:], []byte("CD001")) {
				t.Error("there is no image on the stick")
			}
		})
	}
	if sessions != 2 {
		t.Errorf("the README has %d sessions with a stick", sessions)
	}
}
