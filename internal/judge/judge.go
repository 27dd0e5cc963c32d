// Package judge runs the programs of others that tests ask about what
// livebuild writes, and finds out what tests have to do without. A missing judge is never passed
// over: the test is left out and counted, or fails if all were asked for.
package judge

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Path returns where a program of that Debian package is. Without it the test is left out.
func Path(t testing.TB, debianPackage, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		// Not in the PATH of an ordinary user.
		if path, err = exec.LookPath(filepath.Join("/usr/sbin", program)); err != nil {
			Missing(t, program, program+" is missing: install the Debian package "+debianPackage)
		}
	}
	return path
}

// Run returns what the program prints on both outputs; it must succeed. Names
// are UTF-8 and times UTC whatever the machine's settings.
func Run(t testing.TB, debianPackage, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(Path(t, debianPackage, program), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "MTOOLS_SKIP_CHECK=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}
