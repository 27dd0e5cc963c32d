package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/livebuild/livebuild/internal/store"
)

// example has every field.
func example() *Manifest {
	closure := &store.Closure{Paths: []store.PathInfo{
		{Path: "/nix/store/aaaa-kernel", NarHash: [32]byte{1}, NarSize: 8},
		{Path: "/nix/store/bbbb-system", NarHash: [32]byte{2}, NarSize: 16},
	}}
	return &Manifest{
		Kind: Kind, Version: Version,
		Tool:          Tool{"livebuild", "v1"},
		Configuration: "a.b",
		Flake: &Flake{
			Source:    Source{Reference: "github:o/r/0123?dir=x", Revision: "0123", NarHash: FormatHash([32]byte{3}), Folder: "x"},
			Attribute: "nixosConfigurations.a.b",
			Inputs:    []Input{{"nixpkgs", Source{Revision: "45", NarHash: FormatHash([32]byte{4})}}},
		},
		Platform: "x86_64-linux", BuildPlatform: "x86_64-linux", Label: "24.05", Release: "24.05",
		Toplevel: "/nix/store/bbbb-system", Kernel: "/nix/store/aaaa-kernel/bzImage", Initrd: "/nix/store/cccc-initrd/initrd",
		Systems: []System{{[]string{"one"}, "/nix/store/bbbb-system", "/nix/store/aaaa-kernel/bzImage", "/nix/store/cccc-initrd/initrd"}},
		Boot:    &Boot{Kernel: "bzImage", Initrds: []string{"initrd"}, CommandLine: "init=/a", Title: "A", Stamps: true},
		Others: []Configuration{{
			Name: "other", Platform: "aarch64-linux", BuildPlatform: "x86_64-linux", Label: "24.05", Release: "24.05",
			Toplevel: "/nix/store/bbbb-system", Kernel: "/nix/store/aaaa-kernel/Image", Initrd: "/nix/store/cccc-initrd/initrd",
			Systems: []System{}, MadeLive: true,
		}},
		Default: "other",
		Settings: Settings{
			VolumeID: "LIVE", Modes: []string{"bios-cd", "uefi-usb"}, Compression: "zstd:3", BlockSize: 1 << 20,
			Codec: "zstd:3 -b 1M (libzstd 1.5.7, presets 1)", Epoch: 315532800, MadeLive: true, StampArea: 262144, StampParams: true,
		},
		Changes: Changes{
			NoLive: true, Variant: "iso", Modules: []Module{{"a.nix", strings.Repeat("0", 64)}, {"<b>", ""}}, VolumeID: "LIVE",
			KernelParams: []string{"a=\"b <c>\""}, SSHKeys: []string{"ssh-ed25519 AAAA me"}, StaticIPs: []string{"eth0=10.0.0.1/8"}, MediaCheck: true,
			Persistent: PersistentLUKS, NoLoopback: true, SecureBoot: &SecureBoot{Shim: true, Edit: true},
			Install: []Install{{Name: "a", Configuration: "b", Own: true}, {Name: "c", Configuration: "d", Flake: "github:e/f"}}, InstallSource: "flake",
		},
		Roots:      []string{"/nix/store/bbbb-system"},
		StorePaths: NewStorePaths(closure),
	}
}

func TestEncode(t *testing.T) {
	schema := compiled(t)
	for name, m := range map[string]*Manifest{"everything": example(), "of a file": {Configuration: "iso",
		Toplevel: "/a", Kernel: "/a/k", Initrd: "/a/i", Settings: Settings{BlockSize: 4096}}} {
		text, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: the schema refuses\n%s\n%v", name, text, err)
		}
		back, err := Read(bytes.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := back.Encode()
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("%s: read and written again it is\n%s (%v)", name, again, err)
		}
	}
	text, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(text)
	if err != nil || !reflect.DeepEqual(back, example()) {
		t.Errorf("got back %+v (%v)", back, err)
	}
}

// TestSchemaNames holds the names in the schema against the fields, both ways.
func TestSchemaNames(t *testing.T) {
	text, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	var schema, value map[string]any
	file, err := os.ReadFile("../../docs/manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(text, &value), json.Unmarshal(file, &schema)); err != nil {
		t.Fatal(err)
	}
	inSchema, inValue := map[string]bool{}, map[string]bool{}
	namesOf(schema, true, inSchema)
	namesOf(value, false, inValue)
	if !reflect.DeepEqual(inSchema, inValue) {
		t.Errorf("the schema has the fields %v, manifests have %v", inSchema, inValue)
	}
}

// namesOf collects the names of fields: of a schema those below "properties".
func namesOf(value any, schema bool, names map[string]bool) {
	switch v := value.(type) {
	case []any:
		for _, each := range v {
			namesOf(each, schema, names)
		}
	case map[string]any:
		for name, each := range v {
			if !schema {
				names[name] = true
			}
			if properties, ok := each.(map[string]any); ok && schema && name == "properties" {
				for field, of := range properties {
					names[field] = true
					namesOf(of, schema, names)
				}
				continue
			}
			namesOf(each, schema, names)
		}
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestParseRefuses changes one thing in a manifest that is good.
func TestParseRefuses(t *testing.T) {
	text, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, new, want string }{
		{`"livebuild manifest"`, `"x"`, `its kind is "x"`},
		{`"version": 1,`, `"version": 0,`, "its version is 0"},
		{`"version": 1,`, `"version": 2,`, "the manifest has version 2"},
		{`"version": 1,`, `"version": "1",`, "cannot unmarshal"},
		{`"a.b"`, `"a\u001bb"`, "control character"},
		{`"github:o`, `"-github:o`, "begins with -"},
		{`"/nix/store/aaaa-kernel",`, `"/nix/store/../aaaa-kernel",`, "no store path"},
		{`"/nix/store/aaaa-kernel",`, `"/nix/store/zzzz-kernel",`, "not in order"},
		{`"/nix/store/aaaa-kernel/bzImage"`, `"../bzImage"`, "no file of a store"},
		{`"nar_size": 8`, `"nar_size": -8`, "has the size -8"},
		{`"nar_size": 8`, `"nar_size": 8e99`, "cannot unmarshal"},
		{FormatHash([32]byte{1}), "sha256-AQ==", "no SHA-256"},
		{FormatHash([32]byte{1}), "sha1-" + FormatHash([32]byte{1})[7:], "no SHA-256"},
		{"{", "[", "invalid character"},
		{"LIVE", "\xff", "no UTF-8"},
	} {
		changed := strings.Replace(string(text), test.old, test.new, 1)
		if changed == string(text) {
			t.Fatalf("%s is not in\n%s", test.old, text)
		}
		_, err := Parse([]byte(changed))
		var bad *Error
		var young *VersionError
		if !errors.As(err, &bad) && !errors.As(err, &young) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s for %s: %v, want an *Error with %q", test.new, test.old, err, test.want)
		}
	}
	if _, err := Read(endless{}); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("text without an end: %v", err)
	}
	// What comes later is passed over.
	later := strings.Replace(string(text), `"pure"`, `"later": {"a": [1]}, "pure"`, 1)
	if _, err := Parse([]byte(later)); err != nil {
		t.Errorf("a field that is not known: %v", err)
	}
}

// endless is text without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestParseFlake(t *testing.T) {
	for _, test := range []struct {
		name, locked string
		want         Source
	}{
		{"github", `{"type":"github","owner":"o","repo":"r","rev":"12","narHash":"h","lastModified":1}`,
			Source{Reference: "github:o/r/12", Revision: "12", NarHash: "h"}},
		{"a folder of it on another host", `{"type":"gitlab","owner":"o%2Fg","repo":"r","rev":"12","dir":"a","host":"x.org"}`,
			Source{Reference: "gitlab:o%2Fg/r/12?dir=a&host=x.org", Revision: "12", Folder: "a"}},
		{"git", `{"type":"git","url":"https://x.org/r.git","ref":"refs/heads/main","rev":"12","submodules":true}`,
			Source{Reference: "git+https://x.org/r.git?ref=refs%2Fheads%2Fmain&rev=12&submodules=1", Revision: "12"}},
		{"git by ssh", `{"type":"git","url":"ssh://git@x.org/r","rev":"12"}`, Source{Reference: "git+ssh://git@x.org/r?rev=12", Revision: "12"}},
		{"a token", `{"type":"git","url":"https://oauth2:SECRET@x.org/r","rev":"12"}`, Source{Reference: "git+https://x.org/r?rev=12", Revision: "12"}},
		{"a token alone", `{"type":"git","url":"https://SECRET@x.org/r","rev":"12"}`, Source{Reference: "git+https://x.org/r?rev=12", Revision: "12"}},
		{"a password for ssh", `{"type":"git","url":"ssh://git:SECRET@x.org/r","rev":"12"}`, Source{Reference: "git+ssh://x.org/r?rev=12", Revision: "12"}},
		{"a repository here", `{"type":"git","url":"file:///home/me/r","rev":"12","narHash":"h"}`, Source{Revision: "12", NarHash: "h"}},
		{"a work tree with changes", `{"type":"git","url":"file:///home/me/r","dirtyRev":"12-dirty","narHash":"h"}`, Source{NarHash: "h"}},
		{"a folder", `{"type":"path","path":"/home/me/r","narHash":"h"}`, Source{NarHash: "h"}},
		{"a tarball", `{"type":"tarball","url":"https://x.org/a.tar.gz?b=c","narHash":"sha256-a+/="}`,
			Source{Reference: "https://x.org/a.tar.gz?b=c&narHash=sha256-a%2B%2F%3D", NarHash: "sha256-a+/="}},
		{"a tarball here", `{"type":"tarball","url":"file:///home/me/a.tar","narHash":"h"}`, Source{NarHash: "h"}},
	} {
		text := `{"locked":` + test.locked + `,"locks":{"root":"root","version":7,"nodes":{"root":{"inputs":{"n":"z"}},
			"z":{"locked":` + test.locked + `},"a":{"locked":{"type":"path","path":"/x","narHash":"i"}},"follows":{}}}}`
		want := &Flake{Source: test.want, Attribute: "nixosConfigurations.x", Inputs: []Input{{"a", Source{NarHash: "i"}}, {"z", test.want}}}
		if got, err := ParseFlake([]byte(text), "nixosConfigurations.x"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v (%v), want %+v", test.name, got, err, want)
		}
	}
	if _, err := ParseFlake([]byte("["), ""); err == nil {
		t.Error("what is no JSON is read")
	}
}

func FuzzParse(f *testing.F) {
	text, err := example().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"kind":"livebuild manifest","version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Errorf("%s is read, and not when it is written again: %v", text, err)
		}
	})
}

// TestNewInstall keeps what only one machine has, or nobody else may know, off the medium.
func TestNewInstall(t *testing.T) {
	for ref, kept := range map[string]bool{
		"github:owner/repo": true, "git+https://example.org/a": true, "https://example.org/a.tar.gz": true, "git+ssh://git@example.org/a": true,
		"/home/me/flake": false, "path:/home/me": false, ".": false, "git+file:///home/me": false, "git+https://me:secret@example.org/a": false, "nixpkgs": false,
	} {
		if i := NewInstall("a", "b", ref, false); (i.Flake == ref) != kept || !kept && i.Flake != "" {
			t.Errorf("NewInstall of %q = %+v", ref, i)
		}
		if i := NewInstall("a", "b", ref, true); i.Flake != "" || !i.Own {
			t.Errorf("NewInstall of the live system's own flake %q = %+v", ref, i)
		}
	}
}
