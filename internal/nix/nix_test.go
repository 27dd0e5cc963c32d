package nix

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, test := range []struct {
		output string
		want   string
		newer  bool // than 2.24
	}{
		{"nix (Nix) 2.8.0\n", "Nix 2.8.0", false},
		{"nix (Nix) 2.24.1\n", "Nix 2.24.1", true},
		{"nix (Nix) 2.36.0pre20260301_abcdef0\n", "Nix 2.36.0pre20260301_abcdef0", true},
		{"nix (Lix, like Nix) 2.95.3\nSystem type: x86_64-linux\n", "Lix 2.95.3", true},
		{"nix (Determinate Nix 3.22.2) 2.35.2\n", "Determinate Nix 2.35.2", true},
		{"warning: something\nnix (Nix) 2.8.0\n", "Nix 2.8.0", false},
		{"nix (Tvix) 9\n", "Nix 9", true},
		{"", "Nix ", true},
	} {
		v := parseVersion(test.output)
		if v.String() != test.want || v.atLeast(2, 24) != test.newer {
			t.Errorf("parseVersion(%q) = %q (at least 2.24: %v), want %q (%v)",
				test.output, v, v.atLeast(2, 24), test.want, test.newer)
		}
	}
}

func TestFindNothing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(t.Context(), Options{Env: os.Environ()}); !errors.Is(err, ErrNotFound) {
		t.Errorf("Find = %v, want ErrNotFound", err)
	}
}

// fakeNix puts a shell script with the name of a Nix program on the PATH.
func fakeNix(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"nix", "nix-store"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestFindTooOld(t *testing.T) {
	fakeNix(t, `echo "nix (Nix) 2.3.16"`)
	_, err := Find(t.Context(), Options{Env: os.Environ()})
	var old *TooOldError
	if !errors.As(err, &old) || old.Version.Number != "2.3.16" {
		t.Errorf("Find = %v, want a TooOldError of 2.3.16", err)
	}
}

// TestEnvironment gives Nix an environment that is not this process's.
func TestEnvironment(t *testing.T) {
	fakeNix(t, `
case "$*" in
--version) [ -z "$STRANGER" ] && echo "nix (Nix) 2.30.1"; exit ;;
*show*) echo '{}'; exit ;;
esac
echo "{\"stranger\":\"$STRANGER\",\"named\":\"$NAMED\",\"language\":\"$LANGUAGE\"}"`)
	t.Setenv("STRANGER", "1")
	t.Setenv("NIX_STORE_DIR", "/stranger")
	n, err := Find(t.Context(), Options{Env: []string{"NAMED=old", "NAMED=new", "LANGUAGE=de"}})
	if err != nil {
		t.Fatal(err)
	}
	if n.Version.Number != "2.30.1" {
		t.Errorf("version is %q: Nix was asked for it in another environment", n.Version.Number)
	}
	type seen struct{ Stranger, Named, Language string }
	var got seen
	if _, err := n.Eval(t.Context(), ".", "x", "x: x", &got); err != nil {
		t.Fatal(err)
	}
	if want := (seen{Named: "new", Language: "C"}); got != want {
		t.Errorf("Nix sees %+v, want %+v", got, want)
	}
	for _, test := range []struct {
		env  []string
		want string
	}{
		{nil, "/nix/store"},
		{[]string{"NIX_STORE_DIR=/old", "NIX_STORE_DIR=/s"}, "/s"},
		{[]string{"XNIX_STORE_DIR=/x"}, "/nix/store"},
	} {
		if got := (Options{Env: test.env}).defaultStore().storeDir; got != test.want {
			t.Errorf("with %q the store is %s, want %s", test.env, got, test.want)
		}
	}
}

// TestCrash lets nix die as it does in its garbage collector.
func TestCrash(t *testing.T) {
	fakeNix(t, `
case "$*" in
--version) echo "nix (Nix) 2.30.1"; exit ;;
*show*) echo '{}'; exit ;;
esac
[ "$GC_DONT_GC" = 1 ] && [ -z "$ALWAYS" ] && { echo '{"a":1}'; exit; }
kill -SEGV $$`)
	n, err := Find(t.Context(), Options{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	var value struct{ A int }
	if _, err := n.Eval(t.Context(), ".", "x", "x: x", &value); err != nil || value.A != 1 {
		t.Errorf("Eval after a crash = %v, %+v, want a second try without collector", err, value)
	}
	n.options.Env = append(n.options.Env, "ALWAYS=1")
	if _, err := n.Eval(t.Context(), ".", "x", "x: x", &value); KindOf(err) != KindCrash {
		t.Errorf("Eval after two crashes = %v, want KindCrash", err)
	}
}

// TestInterruptedFirst lets nix get the ^C of the terminal before this process.
func TestInterruptedFirst(t *testing.T) {
	fakeNix(t, `
case "$*" in
--version) echo "nix (Nix) 2.30.1"; exit ;;
esac
echo '@nix {"action":"msg","level":0,"msg":"error: interrupted by the user","raw_msg":"interrupted by the user"}' >&2
exit 1`)
	n, err := Find(t.Context(), Options{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Eval(t.Context(), ".", "x", "x: x", new(any)); !errors.Is(err, context.Canceled) {
		t.Errorf("Eval = %v, want %v", err, context.Canceled)
	}
}
