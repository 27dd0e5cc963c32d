// Package judge runs the programs of others that tests ask about what
// livebuild writes, and finds out what tests have to do without. A missing judge is never passed
// over: the test is left out and counted, or fails if all were asked for.
package judge

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Path returns where a program of that Debian package is. Without it the test is left out.
func Path(t testing.TB, debianPackage, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		// Not in the PATH of an ordinary user.
		if path, err = exec.LookPath(filepath.Join("/usr/sbin", program)); err != nil {
			Missing(t, filepath.Base(program), program+" is missing: install the Debian package "+debianPackage)
		}
	}
	return path
}

// File returns the path of a file of that Debian package. Without it the test is left out.
func File(t testing.TB, debianPackage, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		Missing(t, debianPackage, path+" is missing: install the Debian package "+debianPackage)
	}
	return path
}

// Run returns what the program prints on both outputs; it must succeed. Names
// are UTF-8 and times UTC whatever the machine's settings.
func Run(t testing.TB, debianPackage, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(Path(t, debianPackage, program), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "MTOOLS_SKIP_CHECK=0")
	return Output(t, cmd)
}

// Output runs a command, which must succeed, and returns what it prints on both outputs. A shell
// that does not find a program leaves the test out.
func Output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err == nil {
		return string(out)
	}
	const notFound = 127 // POSIX, "Exit Status for Commands"
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == notFound {
		if m := unknownCommand.FindSubmatch(out); m != nil {
			Missing(t, string(m[1]), fmt.Sprintf("%s is missing: see testdata/setup.sh", m[1]))
		}
	}
	t.Fatalf("%s: %v\n%s", cmd, err, out)
	return ""
}

var unknownCommand = regexp.MustCompile(`(?m)^\S*sh: (?:line )?\d+: (\S+): (?:command )?not found$`)
