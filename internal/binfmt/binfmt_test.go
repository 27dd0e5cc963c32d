package binfmt

import (
	"debug/elf"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestProgramHead holds the table against a program of this machine.
func TestProgramHead(t *testing.T) {
	head := make([]byte, 24)
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Read(head); err != nil {
		t.Fatal(err)
	}
	processor, err := exec.Command("uname", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	machine := strings.TrimSpace(string(processor)) + "-linux"
	if got := programHead(machine, elf.ET_EXEC); !slices.Equal(got, head) {
		t.Errorf("programs of %s begin with %x, this one with %x", machine, got, head)
	}
}
