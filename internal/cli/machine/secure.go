package machine

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/efivar"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/secureboot"
)

// secureOptions are the flags about firmware with Secure Boot.
type secureOptions struct {
	on    bool
	trust []string // files with certificates
}

func (o *secureOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.on, "secure-boot", false, "give the guest UEFI firmware with Secure Boot on, which trusts the certificate on the image, or else who signed its boot loader")
	f.StringArrayVar(&o.trust, "trust", nil, "have that firmware trust the certificate in `FILE`, in PEM or DER, and no other (repeatable)")
}

// trust is whom the firmware of a machine trusts.
type trust struct {
	certificates []*x509.Certificate // nil: whom the image suggests
}

// read checks the flags, and reads the certificates; nil without Secure Boot. What is wrong with
// the flags is a *face.UsageError.
func (o *secureOptions) read() (*trust, error) {
	if !o.on {
		if len(o.trust) > 0 {
			return nil, face.Usage(errors.New("--trust is about firmware with Secure Boot: --secure-boot is missing"))
		}
		return nil, nil
	}
	t := &trust{}
	for _, file := range o.trust {
		c, err := secureboot.ReadCertificate(file)
		if err != nil {
			return nil, err
		}
		t.certificates = append(t.certificates, c)
	}
	return t, nil
}

// modes are those of an image that have Secure Boot.
func (t *trust) modes(claimed []medium.Mode) []medium.Mode {
	if t == nil {
		return claimed
	}
	return slices.DeleteFunc(slices.Clone(claimed), func(m medium.Mode) bool { return !m.UEFI() })
}

// unsignedError says that there is nobody whom firmware could trust to start an image.
type unsignedError struct{ name string }

func (e *unsignedError) Error() string {
	return e.name + " is not signed for Secure Boot: no firmware that has it on would start it"
}

// give gives the machines variables with the keys of whom they trust, in a file that is to be removed.
func (t *trust) give(machines boottest.Machines, m *medium.File, tell func(string)) (_ boottest.Machines, remove func() error, err error) {
	nothing := func() error { return nil }
	if t == nil {
		return machines, nothing, nil
	}
	database, mok := t.certificates, []*x509.Certificate(nil)
	if database == nil {
		chain, err := secureboot.ReadChain(m.Medium)
		if err != nil {
			return nil, nothing, err
		}
		if database, mok = chain.Trusted(); len(database) == 0 {
			return nil, nothing, &unsignedError{m.Name}
		}
	}
	tell(trusted(database, mok))
	var files []string
	remove = func() error {
		var all []error
		for _, file := range files {
			all = append(all, os.Remove(file))
		}
		return errors.Join(all...)
	}
	with := boottest.Machines{}
	for mode, machine := range machines {
		file, err := enrolled(machine.Flash.Vars, efivar.Keys{Database: database, MOK: mok})
		if file != "" {
			files = append(files, file)
		}
		if err != nil {
			return nil, nothing, errors.Join(err, remove())
		}
		machine.Flash.Vars = file
		with[mode] = machine
	}
	return with, remove, nil
}

// trusted says whom the firmware trusts.
func trusted(database, mok []*x509.Certificate) string {
	names := func(list []*x509.Certificate) string {
		var all []string
		for _, c := range list {
			all = append(all, fmt.Sprintf("%q", secureboot.Name(c)))
		}
		return strings.Join(all, " and ")
	}
	text := "Secure Boot is on: the firmware trusts " + names(database)
	if len(mok) > 0 {
		text += ", and the shim " + names(mok)
	}
	return text
}

// enrolled writes a copy of a store of variables with keys, and returns its name.
func enrolled(template string, keys efivar.Keys) (name string, err error) {
	flash, err := os.ReadFile(template)
	if err != nil {
		return "", err
	}
	store, err := efivar.Open(flash)
	if err != nil {
		return "", fmt.Errorf("%s: %w", template, err)
	}
	if err := store.Enrol(keys); err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "livebuild-vars-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(store.Bytes())
	return f.Name(), errors.Join(err, f.Close())
}
