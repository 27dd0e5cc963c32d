package descriptor

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPass gives a file through a socket.
func TestPass(t *testing.T) {
	keep, give, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	defer give.Close()
	other, err := Conn(give)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Send(other, f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	got, err := Receive(keep, "given")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if b, err := io.ReadAll(got); err != nil || string(b) != "content" || got.Name() != "given" {
		t.Errorf("%s holds %q, %v", got.Name(), b, err)
	}
	if flags, err := unix.FcntlInt(got.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("children would have it: flags %#x, %v", flags, err)
	}

	var refused *RefusedError
	if err := Refuse(other, errors.New("because")); err != nil {
		t.Fatal(err)
	}
	if _, err := Receive(keep, "given"); !errors.As(err, &refused) || err.Error() != "because" {
		t.Errorf("a refusal: %v", err)
	}
	if err := Refuse(other, errors.New(strings.Repeat("long ", 10000))); err != nil {
		t.Fatal(err)
	}
	if _, err := Receive(keep, "given"); !errors.As(err, &refused) || len(refused.Reason) != maxReason {
		t.Errorf("a long refusal: %v", err)
	}
	other.Close()
	give.Close()
	if _, err := Receive(keep, "given"); !errors.Is(err, ErrNone) {
		t.Errorf("a closed socket: %v", err)
	}
}

func TestConn(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Conn(f); err == nil {
		t.Errorf("%s is a socket", f.Name())
	}
}
