// Package secureboot is what makes a medium start where UEFI Secure Boot is on, and proves
// that one does: the key that signs its programs, the key by which GRUB verifies whatever it
// reads, a shim of others and what is said to it.
//
// Firmware starts a program if a certificate in its database vouches for it. That program
// is GRUB, signed by the user's own key, or a shim that the firmware knows and that then
// asks the same of GRUB, by certificates of its own (MOK). From there on GRUB verifies: the
// menu, themes, fonts, kernels, initrds and what is stamped onto the image, by OpenPGP
// signatures beside the files and a key inside it (GRUB manual, "Using digital signatures
// in GRUB"). Kernels are signed as programs, too: GRUB from 2.12 on has the firmware load
// them, and a shim asks for it.
package secureboot

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Keys are a private key and its certificate, by which programs are signed.
type Keys struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
}

// KeyError says that a file has no key or certificate that firmware would take.
type KeyError struct {
	File   string
	Reason string
}

func (e *KeyError) Error() string { return fmt.Sprintf("%s: %s", e.File, e.Reason) }

// RightsError says that others than its owner can read the file of a private key.
type RightsError struct {
	File string
	Mode os.FileMode
}

func (e *RightsError) Error() string {
	return fmt.Sprintf("%s: others can read this private key (its rights are %#o)", e.File, e.Mode.Perm())
}

// PassphraseError says that a passphrase is not that of a key.
type PassphraseError struct{ File string }

func (e *PassphraseError) Error() string { return "the passphrase is not that of " + e.File }

// ProtectedError says that a key is protected in a way that is not understood.
type ProtectedError struct{ File, Reason string }

func (e *ProtectedError) Error() string {
	return fmt.Sprintf("%s: the key is protected by a passphrase in a way that livebuild does not know: %s", e.File, e.Reason)
}

// Passphrase returns the passphrase of the key in a file.
type Passphrase func(file string) (string, error)

// maxFile is more than a file with a key or certificates has, in bytes.
const maxFile = 1 << 20

// ReadKeys reads a private RSA key and its certificate, both in PEM (RFC 7468). The errors are
// of type [*KeyError], [*RightsError], [*PassphraseError], [*ProtectedError], or come from the files.
func ReadKeys(keyFile, certificateFile string, passphrase Passphrase) (*Keys, error) {
	key, err := readKey(keyFile, passphrase)
	if err != nil {
		return nil, err
	}
	certificate, err := ReadCertificate(certificateFile)
	if err != nil {
		return nil, err
	}
	if public, ok := key.Public().(*rsa.PublicKey); !ok || !public.Equal(certificate.PublicKey) {
		return nil, &KeyError{certificateFile, "it is not the certificate of the key in " + keyFile}
	}
	return &Keys{key, certificate}, nil
}

// ReadFolder reads the key by which sbctl signs, from the folder that it keeps its keys in
// (/var/lib/sbctl/keys, /usr/share/secureboot/keys before 0.14), or from that of the one key.
func ReadFolder(folder string, passphrase Passphrase) (*Keys, error) {
	for _, in := range []string{filepath.Join(folder, "db"), filepath.Join(folder, "keys", "db"), folder} {
		key := filepath.Join(in, "db.key")
		if _, err := os.Stat(key); err == nil {
			return ReadKeys(key, filepath.Join(in, "db.pem"), passphrase)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return nil, &KeyError{folder, "it has no db/db.key, as the folder in which sbctl keeps its keys"}
}

func readFile(name string, private bool) (data []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if private {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if info.Mode().Perm()&0o077 != 0 {
			return nil, &RightsError{name, info.Mode()}
		}
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = &KeyError{name, "it is too large for a key or a certificate"}
	}
	return data, err
}

// minBits is the least that firmware has to take; it need not take more than 2048 either, but does
// (UEFI 2.10 §32.4.1, EFI_CERT_RSA2048_GUID).
const minBits = 2048

func readKey(name string, passphrase Passphrase) (*rsa.PrivateKey, error) {
	data, err := readFile(name, true)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	for rest := data; block != nil && block.Type == "CERTIFICATE"; { // some keep both in a file
		_, rest = pem.Decode(rest)
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil, &KeyError{name, "it has no private key in the form of PEM"}
	}
	der := block.Bytes
	switch {
	case block.Headers["DEK-Info"] != "":
		return nil, &ProtectedError{name, "as openssl did before PKCS #8"}
	case block.Type == "ENCRYPTED PRIVATE KEY":
		text, err := passphrase(name)
		if err != nil {
			return nil, err
		}
		if der, err = decryptPKCS8(der, text); errors.Is(err, errPassphrase) {
			return nil, &PassphraseError{name}
		} else if err != nil {
			return nil, &ProtectedError{name, err.Error()}
		}
	}
	var key any
	if block.Type == "RSA PRIVATE KEY" {
		key, err = x509.ParsePKCS1PrivateKey(der)
	} else {
		key, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil && block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, &PassphraseError{name} // whose padding was right by chance
	} else if err != nil {
		return nil, &KeyError{name, "it has no private key that is understood"} // which says nothing of what is in it
	}
	private, ok := key.(*rsa.PrivateKey)
	switch {
	case !ok:
		return nil, &KeyError{name, "it is no RSA key: firmware knows no other"}
	case private.N.BitLen() < minBits:
		return nil, &KeyError{name, fmt.Sprintf("an RSA key of %d bits is too short: firmware wants %d", private.N.BitLen(), minBits)}
	}
	return private, nil
}

// oidModules is the usage of certificates for modules of the kernel alone, which a shim takes for no
// program (shim, "MODSIGN_EKU").
var oidModules = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 2312, 16, 1, 2}

// ReadCertificate reads a certificate, in PEM or DER.
func ReadCertificate(name string) (*x509.Certificate, error) {
	data, err := readFile(name, false)
	if err != nil {
		return nil, err
	}
	der := data
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			der = block.Bytes
			break
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, &KeyError{name, "it has no certificate in the form of PEM or DER"}
	}
	if slices.ContainsFunc(certificate.UnknownExtKeyUsage, oidModules.Equal) {
		return nil, &KeyError{name, "the certificate is for modules of the kernel alone: a shim takes no program signed by it"}
	}
	return certificate, nil
}

// Name is a certificate as people call it.
func Name(c *x509.Certificate) string {
	return cmp.Or(c.Subject.CommonName, c.Subject.String(), "a certificate without a name")
}

// Expired tells whether a certificate is over at a time. Firmware does not ask; people may.
func Expired(c *x509.Certificate, at time.Time) bool { return at.After(c.NotAfter) }
