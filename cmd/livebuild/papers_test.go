package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestChecksum has sha256sum check what is beside an image, which comes and goes with it.
func TestChecksum(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := func(args ...string) []string {
		t.Helper()
		written(t, call{dir: dir}, append([]string{"-o", "my image.iso"}, args...)...)
		return names(t, dir)
	}
	if got := made("--manifest"); !slices.Equal(got, []string{"my image.iso", "my image.iso.manifest.json", "my image.iso.sha256"}) {
		t.Fatalf("the folder has %q", got)
	}

	if out := judge(t, "coreutils", "env", "--chdir="+dir, "sha256sum", "--check", "--strict", "my image.iso.sha256"); !strings.Contains(out, "my image.iso: OK") {
		t.Errorf("sha256sum says %s", out)
	}
	image := filepath.Join(dir, "my image.iso")
	if beside := readFile(t, image+".manifest.json"); string(beside) != string(onMedium(t, image)) {
		t.Errorf("beside the image the manifest is\n%s", beside)
	}
	if o := livebuild(t, "verify", image); o.status != 0 {
		t.Errorf("verify: status %d\n%s", o.status, o.stderr)
	}
	if got := made("--checksum=false"); !slices.Equal(got, []string{"my image.iso"}) {
		t.Errorf("beside an image that nothing is wanted beside there are %q", got)
	}
}

// TestSigned signs an image by two keys, has the programs of others check it, and checks it.
func TestSigned(t *testing.T) {
	t.Parallel()
	keys, dir := t.TempDir(), t.TempDir()
	key := func(name string) string { return filepath.Join(keys, name) }
	judge(t, "openssh-client", "ssh-keygen", "-q", "-t", "ed25519", "-N", "correct horse", "-C", "me", "-f", key("ssh"))
	judge(t, "openssh-client", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "other", "-f", key("other"))
	judge(t, "minisign", "minisign", "-G", "-W", "-p", key("mini.pub"), "-s", key("mini"))
	judge(t, "signify-openbsd", "signify-openbsd", "-G", "-n", "-p", key("s.pub"), "-s", key("s.sec"))
	for name, text := range map[string]string{"word": "correct horse\n", "wrong": "battery staple\n", "allowed": "me@example.com " + string(readFile(t, key("ssh.pub")))} {
		if err := os.WriteFile(key(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target := miniFlake(t) + "#mini"

	// What is wrong with keys is found before anything is built.
	o := livebuild(t, "iso", target, "--sign", key("ssh"), "--passphrase-file", key("wrong"))
	checkRefusal(t, o, 1, "the passphrase does not open the key "+key("ssh"), "--passphrase-file")
	o = livebuild(t, "iso", target, "--sign", key("ssh"))
	checkRefusal(t, o, 1, "needs a passphrase, and standard input is no terminal", "--passphrase-file")
	o = livebuild(t, "iso", target, "--sign", key("mini.pub"))
	checkRefusal(t, o, 1, "is a public key")
	o = livebuild(t, "iso", target, "--sign", key("other"), "--sign", key("s.sec"))
	checkRefusal(t, o, 2, "two keys would write NAME.iso.sig")

	written(t, call{dir: dir}, "-o", "a.iso", "--sign", key("ssh"), "--passphrase-file", key("word"), "--sign", key("mini"))
	checkNames(t, dir, "a.iso", "a.iso.minisig", "a.iso.sha256", "a.iso.sig")
	image := filepath.Join(dir, "a.iso")
	judge(t, "minisign", "minisign", "-V", "-p", key("mini.pub"), "-m", image)
	judge(t, "openssh-client", "sh", "-c", `ssh-keygen -Y verify -f "$1" -I me@example.com -n file -s "$2.sig" <"$2"`, "-", key("allowed"), image)
	for _, who := range []string{key("mini.pub"), key("allowed"), key("ssh.pub"), strings.TrimSpace(string(readFile(t, key("ssh.pub"))))} {
		v := verifyOf(t, 0, image, "--key", who)
		if v.SignedBy == "" || v.SHA256From != image+".sha256" {
			t.Errorf("with the key %s it is signed by %q, its sum from %q", who, v.SignedBy, v.SHA256From)
		}
	}
	checkRefusal(t, livebuild(t, "verify", image, "--key", key("other.pub")), 1, "the signature is by another key", "--key needs the public key")
	checkRefusal(t, livebuild(t, "verify", image, "--key", key("s.pub")), 1, "the signature is by another key")
	checkRefusal(t, livebuild(t, "verify", image, "--key", key("ssh")), 1, "is a private key")
	checkRefusal(t, livebuild(t, "verify", image, "--key", key("absent")), 1, "no such file")
	checkRefusal(t, livebuild(t, "verify", miniISO(t).File, "--key", key("mini.pub")), 1, "there is no signature of mini.iso", "--signature FILE")
	checkRefusal(t, livebuild(t, "verify", image, "--signature", image+".sig"), 2, "--signature needs --key")
	v := verifyOf(t, 4, miniISO(t).File, "--key", key("mini.pub"), "--signature", image+".minisig") // another image
	if !v.has("image", "the signature is not of this image") || v.SignedBy != "" {
		t.Errorf("another image: %+v", v)
	}
}

// TestVerifyManifest holds images against the manifest of one.
func TestVerifyManifest(t *testing.T) {
	image := miniISO(t).File
	dir := t.TempDir()
	text := onMedium(t, image)
	put := func(name, old, new string) string {
		t.Helper()
		changed := strings.Replace(string(text), old, new, 1)
		if old != "" && changed == string(text) {
			t.Fatalf("%s is not in the manifest", old)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	verifyOf(t, 0, image, "--manifest", put("good", "", ""))
	if v := verifyOf(t, 4, image, "--manifest", put("label", `"MINI_LIVE"`, `"OTHER"`)); !v.has("manifest", "") || len(v.Findings) != 2 {
		t.Errorf("another volume ID: %+v", v.Findings)
	}
	m := readManifest(t, text)
	first := m.StorePaths[0]
	other := strings.Replace(first.NarHash, first.NarHash[7:11], "AAAA", 1)
	v := verifyOf(t, 4, image, "--manifest", put("hash", first.NarHash, other))
	if !v.has("store path", first.Path) || !v.has("manifest", "") {
		t.Errorf("another hash: %+v", v.Findings)
	}
	checkRefusal(t, livebuild(t, "verify", image, "--manifest", put("version", `"version": 1`, `"version": 2`)), 1, "the manifest has version 2", "a newer livebuild")
	checkRefusal(t, livebuild(t, "verify", image, "--manifest", "/etc/passwd"), 1, "this is no manifest", "--manifest")
}
