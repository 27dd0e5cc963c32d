package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// These tests run the program itself, on derivations that Nix really builds:
// the configurations of testdata/mini. 'make test' assembles that flake and
// says in LIVEBUILD_MINI where it is.

var program string

// buildFlags are those of the program: the tests' own, as far as they matter.
var buildFlags []string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "livebuild-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(folder, "livebuild")
	build := exec.Command("go", append([]string{"build", "-o", program}, append(buildFlags, ".")...)...)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building livebuild:", err)
		os.Exit(1)
	}
	status := need.Main(m)
	if err := os.RemoveAll(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// nixConfig lets root build without a daemon, build users and a network.
const nixConfig = "experimental-features =\nsubstituters =\nbuild-users-group ="

// environment is that of every run: the machine's, with settings of the tests
// in the place of the user's own.
func environment(t testing.TB, extra ...string) []string {
	t.Helper()
	env := []string{"NIX_CONFIG=" + nixConfig, "XDG_CACHE_HOME=" + t.TempDir(), "LC_ALL=C"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "GITHUB_ACTIONS", "NIX_CONFIG", "NIX_PATH", "NIX_REMOTE", "XDG_CACHE_HOME", "LC_ALL", "SOURCE_DATE_EPOCH":
		default:
			env = append(env, v)
		}
	}
	return append(env, extra...)
}

// outcome is what a run of a program left.
type outcome struct {
	status         int
	stdout, stderr string
}

// livebuild runs the program in an empty folder.
func livebuild(t testing.TB, args ...string) outcome {
	t.Helper()
	return call{}.livebuild(t, args...)
}

// call is a way to run the program. The zero value is that of most tests.
type call struct {
	dir  string   // working directory; empty: a new folder
	env  []string // beside the usual environment
	with []string // program and arguments to start it with
}

func (c call) livebuild(t testing.TB, args ...string) outcome {
	t.Helper()
	return runCommand(t, c.command(t, args...))
}

func (c call) command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	words := slices.Concat(c.with, []string{program}, args)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = c.dir
	if cmd.Dir == "" {
		cmd.Dir = t.TempDir()
	}
	cmd.Env = environment(t, c.env...)
	return cmd
}

func runCommand(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// judge runs another program, which must succeed, and returns what it prints.
func judge(t testing.TB, debianPackage, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(need.Path(t, debianPackage, name), args...)
	cmd.Env = environment(t)
	return need.Output(t, cmd)
}

// miniFlake is the folder of the assembled test flake: a copy, because in a
// git repository, such as this one, Nix sees only what is tracked.
func miniFlake(t testing.TB) string {
	t.Helper()
	need.Nix(t)
	copied := filepath.Join(filepath.Dir(program), "mini")
	copyMini.Do(func() {
		folder := os.Getenv("LIVEBUILD_MINI")
		if folder == "" {
			folder = "../../.work/mini"
		}
		if _, err := os.Stat(filepath.Join(folder, "flake.nix")); err != nil {
			need.Missing(t, "the test flake", fmt.Sprintf("the test flake is not assembled: run 'make mini' (%v)", err))
		}
		judge(t, "coreutils", "cp", "-R", folder, copied)
	})
	if _, err := os.Stat(copied); err != nil {
		need.Missing(t, "the test flake", "there is no test flake; see the first test that asked for it")
	}
	return copied
}

var copyMini sync.Once

// result is what 'livebuild iso --json' prints, as its documentation has it.
type result struct {
	File          string   `json:"file"`
	Size          int64    `json:"size"`
	ImageBytes    int64    `json:"image_bytes"`
	SHA256        string   `json:"sha256"`
	VolumeID      string   `json:"volume_id"`
	System        string   `json:"system"`
	Toplevel      string   `json:"toplevel"`
	Compression   string   `json:"compression"`
	Modes         []string `json:"modes"`
	StorePaths    int      `json:"store_paths"`
	StoreBytes    int64    `json:"store_bytes"`
	SquashfsBytes int64    `json:"squashfs_bytes"`
	ReusedBytes   *int64   `json:"reused_bytes"`
	Seconds       struct{ Evaluate, Build, Pack, Total float64 }
}

// iso writes an image of a configuration of the test flake.
func iso(t testing.TB, configuration string, args ...string) result {
	t.Helper()
	return call{}.iso(t, configuration, args...)
}

func (c call) iso(t testing.TB, configuration string, args ...string) result {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.iso")
	o := c.livebuild(t, append([]string{"iso", miniFlake(t) + "#" + configuration, "-o", file, "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	var r result
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("livebuild iso --json printed %q: %v", o.stdout, err)
	}
	if r.File != file {
		t.Errorf("the result's file is %s, want %s", r.File, file)
	}
	return r
}

// shared is an image of the configuration "mini" that several tests look at
// and none changes.
var shared struct {
	sync.Once
	result result
}

func miniISO(t testing.TB) result {
	t.Helper()
	miniFlake(t)
	shared.Do(func() {
		r := iso(t, "mini")
		kept := filepath.Join(filepath.Dir(program), "mini.iso")
		if err := os.Link(r.File, kept); err != nil {
			t.Fatal(err)
		}
		r.File = kept
		shared.result = r
	})
	if shared.result.File == "" {
		t.Fatal("the image could not be made; see the first test that asked for it")
	}
	return shared.result
}

// closureOf asks Nix for the closure of store paths.
func closureOf(t testing.TB, paths ...string) []string {
	t.Helper()
	return strings.Fields(judge(t, "nix-bin", "nix-store", append([]string{"--query", "--requisites"}, paths...)...))
}
