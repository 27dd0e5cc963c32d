package efivar

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

const folder = "/usr/share/OVMF/"

// flash is a file of Debian's package ovmf.
func flash(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(judge.File(t, "ovmf", folder+name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t testing.TB, flash []byte) *Store {
	t.Helper()
	s, err := Open(flash)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func variable(s *Store, name string) *Variable {
	all := s.Variables()
	n := slices.IndexFunc(all, func(v Variable) bool { return v.Name == name })
	if n < 0 {
		return nil
	}
	return &all[n]
}

func certificate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDebian reads what a firmware itself wrote: Debian's stores come from OVMF's own enrolment.
func TestDebian(t *testing.T) {
	s := open(t, flash(t, "OVMF_VARS_4M.snakeoil.fd"))
	for _, name := range []string{"PK", "KEK"} {
		v := variable(s, name)
		if v == nil || v.Vendor != Global || v.Attributes != NonVolatile|BootService|Runtime|TimeBased {
			t.Fatalf("%s is %+v", name, v)
		}
		found, err := Certificates(v.Data)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s has %d certificates: %v", name, len(found), err)
		}
		if name != "PK" {
			continue
		}
		text, err := os.ReadFile(judge.File(t, "ovmf", "/usr/share/ovmf/PkKek-1-snakeoil.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if block, _ := pem.Decode(text); !bytes.Equal(block.Bytes, found[0].Raw) {
			t.Error("PK is another certificate than that of the package")
		}
	}
	if v := variable(s, "SecureBootEnable"); v == nil || v.Vendor != Enable || !bytes.Equal(v.Data, []byte{1}) {
		t.Errorf("SecureBootEnable is %+v", v)
	}
	microsoft := open(t, flash(t, "OVMF_VARS_4M.ms.fd"))
	if found, err := Certificates(variable(microsoft, "db").Data); err != nil || len(found) < 2 {
		t.Errorf("Microsoft's db has %d certificates: %v", len(found), err)
	}
}

// TestEnrol reads back what is written, over nothing and over other keys. That firmware takes it,
// TestSecureBoot of cmd/livebuild shows.
func TestEnrol(t *testing.T) {
	one, two := certificate(t, "one"), certificate(t, "two")
	for _, name := range []string{"OVMF_VARS_4M.fd", "OVMF_VARS_4M.snakeoil.fd", "OVMF_VARS_4M.ms.fd", "OVMF_VARS.fd", "OVMF32_VARS_4M.fd"} {
		old := flash(t, name)
		s := open(t, old)
		before := len(s.Variables())
		if err := s.Enrol(Keys{Database: []*x509.Certificate{one, two}, MOK: []*x509.Certificate{two}}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again := open(t, s.Bytes())
		for variableName, want := range map[string][]*x509.Certificate{"PK": {one}, "KEK": {one}, "db": {one, two}, "MokList": {two}} {
			v := variable(again, variableName)
			if v == nil {
				t.Fatalf("%s: %s is missing", name, variableName)
			}
			if found, err := Certificates(v.Data); err != nil || !slices.EqualFunc(found, want, (*x509.Certificate).Equal) {
				t.Errorf("%s: %s has %d certificates: %v", name, variableName, len(found), err)
			}
		}
		if after := len(again.Variables()); len(s.Bytes()) != len(old) || after > before+5 || after < 5 {
			t.Errorf("%s: %d variables of %d are left, in %d bytes", name, after, before, len(s.Bytes()))
		}
	}
}

func TestRefused(t *testing.T) {
	good := flash(t, "OVMF_VARS_4M.snakeoil.fd")
	unknown := bytes.Clone(good)
	unknown[72] ^= 1
	damaged := bytes.Clone(good)
	s := open(t, good)
	copy(damaged[s.used[0].at+40:], "\xff\xff\xff\x7f")
	for name, data := range map[string][]byte{"nothing": nil, "text": bytes.Repeat([]byte("text"), 100), "half a header": good[:60], "another kind": unknown, "damaged": damaged} {
		if _, err := Open(data); err == nil {
			t.Errorf("%s is taken", name)
		} else if _, ok := errors.AsType[*FormatError](err); !ok {
			t.Errorf("%s: the error is a %T", name, err)
		}
	}
	err := s.Set(Variable{Name: "large", Data: make([]byte, 1<<20)})
	if full, ok := errors.AsType[*FullError](err); !ok || full.Name != "large" {
		t.Errorf("Set = %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"OVMF_VARS_4M.fd", "OVMF_VARS_4M.snakeoil.fd", "OVMF_VARS_4M.ms.fd"} {
		f.Add(flash(f, name))
	}
	c := certificate(f, "one")
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Open(data)
		if err != nil {
			return
		}
		for _, v := range s.Variables() {
			_, _ = Certificates(v.Data)
		}
		if err := s.Enrol(Keys{Database: []*x509.Certificate{c}}); err != nil {
			return
		}
		again, err := Open(s.Bytes())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if v := variable(again, "db"); v == nil || !bytes.Equal(v.Data, List([]*x509.Certificate{c})) {
			t.Fatalf("db is %+v", v)
		}
	})
}

// TestFormat holds a store that is made of a new flash file against one that the firmware itself has made of one.
func TestFormat(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(judge.File(t, "qemu-efi-aarch64", "/usr/share/AAVMF/"+name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	blank := read("AAVMF_VARS.fd")
	s := open(t, blank)
	theirs := read("AAVMF_VARS.snakeoil.fd")
	if !bytes.Equal(s.flash[:s.at], theirs[:s.at]) {
		t.Errorf("it begins with\n% x, the firmware's with\n% x", s.flash[:s.at], theirs[:s.at])
	}
	if len(s.Variables()) != 0 || len(s.flash) != len(theirs) || len(bytes.Trim(blank, "\x00")) > 0 {
		t.Errorf("%d variables in %d bytes", len(s.Variables()), len(s.flash))
	}
	if err := s.Enrol(Keys{Database: []*x509.Certificate{certificate(t, "ours")}}); err != nil {
		t.Fatal(err)
	}
	if again := open(t, s.Bytes()); variable(again, "PK") == nil {
		t.Error("the key is not there")
	}
	var wrong *FormatError
	if _, err := Open(blank[:flashBlock]); !errors.As(err, &wrong) {
		t.Errorf("a flash file that is too small: %v", err)
	}
}
