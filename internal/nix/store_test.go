package nix

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestParseStore(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		url    string
		host   surroundings
		want   string // for /nix/store/x/y
		remote bool
	}{
		{url: "auto", want: "/nix/store/x/y"},
		{url: "", want: "/nix/store/x/y"},
		{url: "daemon", want: "/nix/store/x/y"},
		{url: "local", want: "/nix/store/x/y"},
		{url: "unix:///run/nix.sock", want: "/nix/store/x/y"},
		{url: "unix:///run/nix.sock?root=/r", want: "/r/nix/store/x/y"},
		{url: "/r", want: "/r/nix/store/x/y"},
		{url: "./r", want: wd + "/r/nix/store/x/y"},
		{url: "/r?read-only=true", want: "/r/nix/store/x/y"},
		{url: "local?root=/r", want: "/r/nix/store/x/y"},
		{url: "local://?root=/r", want: "/r/nix/store/x/y"},
		{url: "local:///r", want: "/r/nix/store/x/y"},
		{url: "local?root=/r&real=/s", want: "/s/x/y"},
		{url: "local?root=/a%20b", want: "/a b/nix/store/x/y"},
		{url: "auto", host: surroundings{chroot: "/home/u/.local/share/nix/root"},
			want: "/home/u/.local/share/nix/root/nix/store/x/y"},
		{url: "daemon", host: surroundings{chroot: "/elsewhere"}, want: "/nix/store/x/y"},
		{url: "ssh-ng://host", remote: true},
		{url: "s3://bucket", remote: true},
		{url: "https://cache", remote: true},
		{url: "file:///cache", remote: true},
		{url: "dummy://", remote: true},
	} {
		if test.host.storeDir == "" {
			test.host.storeDir = "/nix/store"
		}
		store, err := parseStore(test.url, test.host)
		if test.remote {
			var remote *RemoteStoreError
			if !errors.As(err, &remote) || remote.URL != test.url {
				t.Errorf("parseStore(%q) = %v, want a RemoteStoreError", test.url, err)
			}
			continue
		}
		if got := store.PhysicalPath("/nix/store/x/y"); err != nil || got != test.want {
			t.Errorf("parseStore(%q).PhysicalPath = %q, %v, want %q", test.url, got, err, test.want)
		}
	}
}

func TestPhysicalPathElsewhere(t *testing.T) {
	store := Store{dir: "/nix/store", real: "/r/nix/store"}
	for _, path := range []string{"/etc/x", "/nix/storeroom/x"} {
		if got := store.PhysicalPath(path); got != path {
			t.Errorf("PhysicalPath(%q) = %q", path, got)
		}
	}
}

// TestStore asks the real Nix, by flag, setting, and environment.
func TestStore(t *testing.T) {
	l := newLab(t, Options{})
	folder := l.flake("f", `{ a = sh "a" "echo hello >$out"; }`)
	paths, err := l.Realise(t.Context(), l.targets(folder, "a"), filepath.Join(l.dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := l.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(store.PhysicalPath(paths[0]))
	if err != nil || string(data) != "hello\n" {
		t.Errorf("contents of %s = %q, %v", paths[0], data, err)
	}

	env := append(os.Environ(), "NIX_REMOTE=local?root=/elsewhere")
	n, err := Find(t.Context(), Options{Env: env})
	if err != nil {
		t.Fatal(err)
	}
	store, err = n.Store(t.Context())
	if got := store.PhysicalPath("/nix/store/x"); err != nil || got != "/elsewhere/nix/store/x" {
		t.Errorf("with NIX_REMOTE, PhysicalPath = %q, %v", got, err)
	}
	n, err = Find(t.Context(), Options{Env: env, Flags: Flags{Store: []string{"--store", "s3://nowhere"}}})
	if err != nil {
		t.Fatal(err)
	}
	var remote *RemoteStoreError
	if _, err := n.Store(t.Context()); !errors.As(err, &remote) {
		t.Errorf("Store of s3 = %v, want a RemoteStoreError", err)
	}
}
