package builders

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBuild(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	list := file("machines", "# ssh://a aarch64-linux\n\nssh://me@b x86_64-linux,aarch64-linux /root/key 4 1 kvm - -\n")
	loop := file("loop", "@"+filepath.Join(folder, "loop"))
	toml := file("toml", "[machines.b]\nsystem-types = [\"aarch64-linux\"]\n")
	for _, test := range []struct {
		text string
		want bool
	}{
		{"", false},
		{"ssh://a", false},
		{"ssh://a -", false},
		{"ssh://a aarch64-linux", true},
		{"ssh://a x86_64-linux ; ssh-ng://b i686-linux,aarch64-linux", true},
		{"ssh://a aarch64-linux-x", false},
		{"@" + list, true},
		{"@ " + filepath.Join(folder, "absent"), false},
		{"@" + loop, true},   // what cannot be read to its end may be able
		{"@" + folder, true}, // the same
		{"@" + toml, true},
	} {
		if got := Build(test.text, "aarch64-linux", "x86_64-linux"); got != test.want {
			t.Errorf("Build(%q) = %t, want %t", test.text, got, test.want)
		}
	}
	if !Build("ssh://a -", "x86_64-linux", "x86_64-linux") {
		t.Error("a machine without systems does not build for the system of this one")
	}
}
