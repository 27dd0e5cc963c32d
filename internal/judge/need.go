package judge

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Variables of the environment. With the first one set, whatever a test misses is an error;
// 'make test' sets it. The second names a file that gets a line for each package that left
// tests out, since "go test ./..." shows nothing of what passes.
const (
	allVariable     = "LIVEBUILD_TEST_ALL"
	leftOutVariable = "LIVEBUILD_TEST_LEFT_OUT"
)

// leftOut has what each test missed that was left out.
var leftOut = struct {
	sync.Mutex
	what map[string]string
}{what: map[string]string{}}

// Missing ends a test that needs what is not here: it is left out, and counted, or fails where
// all tests were asked for. What is said in a word or two, the reason with what to do about it.
func Missing(t testing.TB, what, reason string) {
	t.Helper()
	if os.Getenv(allVariable) != "" {
		t.Fatal(reason)
	}
	LeaveOut(t, what, reason)
}

// LeaveOut ends a test that needs what cannot be had everywhere, such as another kernel.
func LeaveOut(t testing.TB, what, reason string) {
	t.Helper()
	leftOut.Lock()
	leftOut.what[t.Name()] = what
	leftOut.Unlock()
	t.Skip("LEFT OUT: " + reason)
}

// Root leaves a test out that needs the rights of root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "root", "this needs the rights of root")
	}
}

// Nix leaves a test out that has Nix build something, as root and without a daemon.
func Nix(t testing.TB) {
	t.Helper()
	Path(t, "nix-bin", "nix")
	Root(t)
}

// QEMU leaves a test out that starts virtual machines. "go test -short" starts none.
func QEMU(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("no virtual machine is started with -short")
	}
	Path(t, "qemu-system-x86", "qemu-system-x86_64")
}

// Main is what TestMain of a package does whose tests may be left out: it runs them, and says
// what was. It returns the status to exit with.
func Main(m *testing.M) int {
	status := m.Run()
	summary := summarize(leftOut.what)
	if summary == "" {
		return status
	}
	fmt.Println(summary)
	if file := os.Getenv(leftOutVariable); file != "" {
		if err := appendLine(file, packageName()+": "+summary); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}

// summarize says how many tests missed what, the most frequent first.
func summarize(leftOut map[string]string) string {
	count := map[string]int{}
	for _, what := range leftOut {
		count[what]++
	}
	var parts []string
	for _, what := range slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	}) {
		parts = append(parts, fmt.Sprintf("%s (%d)", what, count[what]))
	}
	switch len(leftOut) {
	case 0:
		return ""
	case 1:
		return "1 test left out: needs " + parts[0]
	}
	return fmt.Sprintf("%d tests left out: need %s", len(leftOut), strings.Join(parts, ", "))
}

// packageName is the import path of the package that is tested.
func packageName() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "" {
		return strings.TrimSuffix(info.Path, ".test")
	}
	return filepath.Base(os.Args[0])
}

// appendLine adds a line to a file, at once: packages are tested side by side.
func appendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
