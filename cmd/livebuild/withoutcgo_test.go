package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWithoutCgo installs the program where there is no C compiler, and tries what it says of what
// it lacks then.
func TestWithoutCgo(t *testing.T) {
	t.Parallel()
	compiler, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	if compiler, err = filepath.EvalSymlinks(compiler); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	install := exec.Command(compiler, "install", "./cmd/livebuild")
	install.Dir = root
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "CGO_ENABLED", "CC", "PATH", "GOBIN", "GOFLAGS":
		default:
			install.Env = append(install.Env, v)
		}
	}
	install.Env = append(install.Env, "GOBIN="+folder, "GOFLAGS=-buildvcs=false", "PATH="+filepath.Dir(compiler))
	if o := runCommand(t, install); o.status != 0 {
		t.Fatalf("go install: %s", o.stderr)
	}
	run := func(args ...string) outcome {
		cmd := exec.Command(filepath.Join(folder, "livebuild"), args...)
		cmd.Dir, cmd.Env = t.TempDir(), environment(t)
		return runCommand(t, cmd)
	}
	const lacks = "xz compression: needs liblzma, and this program was built without cgo"
	if o := run("version"); o.status != 0 || !strings.Contains(o.stdout, lacks) || !strings.Contains(o.stdout, "zstd by klauspost/compress") {
		t.Errorf("version: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	o := run("iso", miniFlake(t)+"#mini", "--compression", "xz")
	if want := "error: " + lacks; o.status != 1 || !strings.Contains(o.stderr, want) || !strings.Contains(o.stderr, "hint: another compression works") {
		t.Errorf("iso --compression xz: status %d, want 1 and %q\n%s", o.status, want, o.stderr)
	}
	if regexp.MustCompile(`(?m)^(building|built) `).MatchString(o.stderr) {
		t.Errorf("it was built before that was said:\n%s", o.stderr)
	}
	image := filepath.Join(folder, "out.iso")
	if o := run("iso", miniFlake(t)+"#mini", "--compression", "zstd:3", "--reuse", "none", "-o", image); o.status != 0 {
		t.Fatalf("iso: %s", o.stderr)
	}
	// The program with cgo reads what the one without has packed.
	if o := livebuild(t, "verify", image); o.status != 0 {
		t.Errorf("verify: status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
}
