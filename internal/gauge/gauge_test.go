package gauge

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestMain says what was left out.
func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

func TestParseMemory(t *testing.T) {
	for word, want := range map[string]int64{"512M": 512 << 20, "2G": 2 << 30, "": 0, "M": 0, "512": 0, "0M": 0, "-1G": 0, "1T": 0, "9999999999G": 0} {
		if got, err := ParseMemory(word); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %d, %v", word, got, err)
		}
	}
}

// A file system without a device of its own counts nothing, and is full as it is.
func TestOnDisk(t *testing.T) {
	folder := t.TempDir()
	use, err := OnDisk(folder, func() error {
		return os.WriteFile(filepath.Join(folder, "file"), make([]byte, 1<<20), 0o644)
	})
	if err != nil || use.Written < 0 {
		t.Errorf("%+v, %v", use, err)
	}
	if _, err := OnDisk(filepath.Join(folder, "absent"), func() error { return nil }); err == nil {
		t.Error("a folder that is not there was measured")
	}
}

// TestLimitMemory has a process within a limit, which is gone afterwards.
func TestLimitMemory(t *testing.T) {
	judge.Root(t)
	limit, err := LimitMemory(64 << 20)
	if err != nil {
		t.Skip("no limits can be made here: ", err)
	}
	join := "echo 0 > " + filepath.Join(limit.folder, "cgroup.procs")
	out, err := exec.Command("sh", "-euc", join+"; cat /proc/self/cgroup "+limit.folder+"/memory.*max "+limit.folder+"/memory.limit_in_bytes 2>&1 || true").CombinedOutput()
	if err != nil || !strings.Contains(string(out), filepath.Base(limit.folder)) || !strings.Contains(string(out), "\n67108864\n") {
		t.Errorf("%s, %v", out, err)
	}
	if err := limit.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(limit.folder); err == nil {
		t.Error("the group is still there")
	}
}
