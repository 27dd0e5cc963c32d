package stamp

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestWifiIWD has the library of iwd read what is stamped for iwd. iwd itself reads no file without a kernel that has
// wireless devices.
func TestWifiIWD(t *testing.T) {
	compiler := judge.Path(t, "gcc", "gcc")
	libraries, err := filepath.Glob("/usr/lib/*/libell.so.0")
	if err != nil || len(libraries) == 0 {
		judge.Missing(t, "libell", "the library of iwd is missing (package libell0)")
	}
	folder := t.TempDir()
	reader := filepath.Join(folder, "iwdkey")
	if out, err := exec.Command(compiler, "-Wall", "-o", reader, "testdata/iwdkey.c", libraries[0]).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, w := range append(stampedWifi, Wifi{"spaces", "        "}, Wifi{"escapes", `\t\r\s\x41`}) {
		file := filepath.Join(folder, "network.psk")
		if err := os.WriteFile(file, []byte(w.iwd()), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(reader, file).CombinedOutput()
		if err != nil || string(out) != w.Passphrase {
			t.Errorf("%q: iwd's library reads %q (%v), want %q", w.SSID, out, err, w.Passphrase)
		}
	}
}
