package signature

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"aead.dev/minisign"
)

// Read reads, for what reads a message.
func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// Passphrase asks for the passphrase of the key in a file. It is not asked for keys that are not
// encrypted.
type Passphrase func(file string) (string, error)

// ReadSigner reads the secret key of minisign or signify, or the private SSH key, in a file. Errors are of
// type *KeyError or *PassphraseError, or come from the file or from passphrase.
func ReadSigner(file string, passphrase Passphrase) (*Signer, error) {
	text, err := readText(file)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return sshSigner(file, text, passphrase)
	}
	raw, err := secondLine(string(text))
	switch {
	case err == nil && len(raw) == edKeySize:
		return nil, &KeyError{file, "is a public key, and signing takes the secret one"}
	case err == nil && len(raw) == signifySize && string(raw[:4]) == plainEd+signifyKDF:
		return signifySigner(file, raw, passphrase)
	case err == nil && bytes.HasPrefix(raw, []byte(plainEd)) && bytes.HasPrefix(text, []byte(commentLine)):
		return minisignSigner(file, bytes.TrimSpace(text), passphrase)
	}
	if keys, err := parseSSHKeys(string(text), time.Now()); err == nil && len(keys) > 0 {
		return nil, &KeyError{file, "is a public key, and signing takes the private one"}
	}
	return nil, &KeyError{file, errNoKind.Error()}
}

// ReadVerifier reads public keys: what is is the name of a file with them, or a key itself. A file
// has a key of minisign or signify, or public SSH keys, or allowed signers. Errors are of type
// *KeyError, or come from the file.
func ReadVerifier(what string) (*Verifier, error) {
	name, text := what, []byte(what)
	if v, err := parseKeys(string(text), time.Now()); err == nil && len(v.ed25519)+len(v.ssh) > 0 {
		return v, nil
	}
	text, err := readText(name)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return nil, &KeyError{name, "is a private key; checking takes the public one"}
	}
	if raw, err := secondLine(string(text)); err == nil && (len(raw) == signifySize || minisign.IsEncrypted(text)) {
		return nil, &KeyError{name, "is a secret key; checking takes the public one"}
	}
	v, err := parseKeys(string(text), time.Now())
	switch {
	case err != nil:
		return nil, &KeyError{name, err.Error()}
	case len(v.ed25519)+len(v.ssh) == 0:
		return nil, &KeyError{name, "has no key that may sign files today"}
	}
	return v, nil
}

// parseKeys reads the text of public keys.
func parseKeys(text string, now time.Time) (*Verifier, error) {
	v := &Verifier{}
	if key, ok := parseEdKey(text); ok {
		v.ed25519 = append(v.ed25519, key)
		return v, nil
	}
	if strings.HasPrefix(text, commentLine) {
		return nil, errors.New("is no whole public key")
	}
	var err error
	v.ssh, err = parseSSHKeys(text, now)
	return v, err
}

// readText reads a key or a signature from a file.
func readText(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxText+1))
	if err == nil && len(text) > MaxText {
		err = &KeyError{file, "is too large for a key"}
	}
	return text, err
}
