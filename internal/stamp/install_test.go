package stamp

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/pkg/cpio"
)

// TestInstall has the answers where livebuild-install reads them, for root alone, and tells no secret.
func TestInstall(t *testing.T) {
	items := Items{Install: Install{"example", []string{"one=/dev/disk/by-id/nvme-A_1", "two=/dev/disk/by-path/pci-0000:00:1f.2-ata-1"}, "$y$j9T$salt$hash/."}}
	if err := items.Check(); err != nil || !items.Secret() || items.Empty() {
		t.Fatalf("Check() = %v, Secret() = %t", err, items.Secret())
	}
	b := encode(t, items)
	s, err := Decode(b)
	if err != nil || s.Text() != "installation" {
		t.Fatalf("%+v, %v", s, err)
	}
	want := "example on one=/dev/disk/by-id/nvme-A_1 and two=/dev/disk/by-path/pci-0000:00:1f.2-ata-1, with a password of root"
	if got := s.Items[0]; got.Text != want || !got.Secret || strings.Contains(string(got.Text), "salt") {
		t.Errorf("the stamp says %+v", got)
	}
	members, err := cpio.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Name == ".initrd-secrets/run/livebuild/install" {
			text := "livebuild.install=example livebuild.disk=one=/dev/disk/by-id/nvme-A_1 " +
				"livebuild.disk=two=/dev/disk/by-path/pci-0000:00:1f.2-ata-1 livebuild.password=$y$j9T$salt$hash/.\n"
			if !bytes.Equal(m.Data, []byte(text)) || m.Mode&0o777 != 0o600 {
				t.Errorf("the answers are %q, mode %o", m.Data, m.Mode)
			}
			return
		}
	}
	t.Error("the stamp has no answers")
}

func TestInstallRefused(t *testing.T) {
	const disk = "/dev/disk/by-id/a"
	for name, test := range map[string]struct {
		items Items
		want  string
	}{
		"no system":           {Items{Install: Install{Disks: []string{disk}}}, "no system"},
		"a password alone":    {Items{Install: Install{PasswordHash: "$y$"}}, "no system"},
		"two words":           {Items{Install: Install{System: "a livebuild.disk=/dev/sda"}}, "is no name of a system"},
		"a pattern":           {Items{Install: Install{System: "a*"}}, "is no name of a system"},
		"kernel's name":       {Items{Install: Install{System: "a", Disks: []string{"/dev/sda"}}}, "another one at the next start"},
		"no device":           {Items{Install: Install{System: "a", Disks: []string{"main"}}}, "another one at the next start"},
		"a folder":            {Items{Install: Install{System: "a", Disks: []string{"/dev/disk/by-id"}}}, "or is none"},
		"dots":                {Items{Install: Install{System: "a", Disks: []string{"/dev/disk/by-id/../../sda"}}}, "or is none"},
		"a space":             {Items{Install: Install{System: "a", Disks: []string{disk + " b"}}}, "or is none"},
		"a disk twice":        {Items{Install: Install{System: "a", Disks: []string{"one=" + disk, "two=" + disk}}}, "is given twice"},
		"a name twice":        {Items{Install: Install{System: "a", Disks: []string{"one=" + disk, "one=" + disk + "b"}}}, "is one of several"},
		"several, no names":   {Items{Install: Install{System: "a", Disks: []string{disk, disk + "b"}}}, "is one of several"},
		"several, one name":   {Items{Install: Install{System: "a", Disks: []string{disk, "two=" + disk + "b"}}}, "is one of several"},
		"several, name first": {Items{Install: Install{System: "a", Disks: []string{"one=" + disk, disk + "b"}}}, "is one of several"},
		"no hash":             {Items{Install: Install{System: "a", PasswordHash: "secret"}}, "is no hash"},
		"a hash of two words": {Items{Install: Install{System: "a", PasswordHash: "$y$ b"}}, "is no hash"},
		"a file, too": {Items{Install: Install{System: "a"}, Files: []File{{"/run/livebuild/install", 0o600, nil}}},
			"is where the answers for an installation are put"},
	} {
		var item *ItemError
		if err := test.items.Check(); !errors.As(err, &item) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	for _, good := range []Install{{}, {System: "a"}, {System: "a.b-c_1", Disks: []string{disk}}, {System: "a", Disks: []string{"main=" + disk}}, {System: "a", Disks: []string{"/dev/disk/by-id/usb-a=b"}}} {
		if err := (Items{Install: good}).Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}
