// Package signature makes and checks detached signatures of images: those of
// minisign(1), of OpenBSD's signify(1), and of SSH keys as 'ssh-keygen -Y sign' makes
// them in the namespace "file".
//
// What is signed is every byte of the file. The file is read as a stream, whatever its size.
// Which kind a key or a signature is of follows from its text. Keys and signatures of others
// are hostile input: none is larger than [MaxText].
//
// Not supported: keys on tokens, agents, SSH certificates, and the embedded signatures
// of signify.
//
// References: minisign's "Signature format" (jedisct1.github.io/minisign), signify.c of
// OpenBSD 7.5, PROTOCOL.sshsig of OpenSSH 9, RFC 8032 §5.1.
package signature

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/livebuild/livebuild/internal/progress"
)

// MaxText is more than a key, a signature or a file of allowed signers has, in bytes.
const MaxText = 1 << 20

// Image is what is signed.
type Image struct {
	Bytes io.ReaderAt
	Size  int64  // in bytes
	Name  string // of the file, which some signatures mention
	// Progress, if set, is told how many bytes of how many are read. Some signatures need the
	// image to be read twice.
	Progress func(done, total int64)
}

// open reads the image from its beginning.
func (i Image) open(ctx context.Context) io.Reader {
	done := int64(0)
	return progress.NewReader(ctx, io.NewSectionReader(i.Bytes, 0, i.Size), func(n int) {
		if done += int64(n); i.Progress != nil {
			i.Progress(done, i.Size)
		}
	})
}

// Kind is a kind of signature.
type Kind string

// The kinds by the programs that check them.
const (
	Minisign Kind = "minisign"
	Signify  Kind = "signify"
	SSH      Kind = "ssh"
)

// KeyError says why text is no key that can be used.
type KeyError struct {
	Name   string // of the file or flag
	Reason string
}

func (e *KeyError) Error() string { return e.Name + " " + e.Reason }

// PassphraseError says that a key is not opened by the passphrase given.
type PassphraseError struct{ Name string }

func (e *PassphraseError) Error() string { return "the passphrase does not open the key " + e.Name }

// FormatError says why text is no signature.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "this is no signature: " + e.Reason }

// OtherKeyError says that a signature is by a key that is none of those that may sign.
type OtherKeyError struct{ Key string } // what is known of the key that signed

func (e *OtherKeyError) Error() string { return "the signature is by another key, " + e.Key }

// MismatchError says that a signature by the right key is not of these bytes.
type MismatchError struct{}

func (*MismatchError) Error() string {
	return "the signature is not of this image: the one or the other was changed"
}

// MissingError says that an image has no signature where one is looked for.
type MissingError struct{ Image string }

func (e *MissingError) Error() string { return "there is no signature of " + e.Image }

// errFormat makes a *FormatError.
func errFormat(format string, args ...any) error { return &FormatError{fmt.Sprintf(format, args...)} }

// Signer signs images by one key.
type Signer struct {
	Kind Kind
	sign func(context.Context, Image) ([]byte, error)
}

// Sign returns the text of a signature. One image has one signature by a key, but for keys
// whose algorithm is random, as ECDSA.
func (s *Signer) Sign(ctx context.Context, image Image) ([]byte, error) {
	text, err := s.sign(ctx, image)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("signing the image: %w", err)
	}
	return text, err
}

// Verifier holds keys of one kind or of several.
type Verifier struct {
	ed25519 []edKey
	ssh     []sshKey
}

// Verify checks that text is a signature of the image by one of the keys, and returns whose.
// Errors are of type *FormatError, *OtherKeyError or *MismatchError, or come from reading the
// image.
func (v *Verifier) Verify(ctx context.Context, image Image, text []byte) (signer string, err error) {
	if len(text) > MaxText {
		return "", errFormat("it has more than %d bytes", MaxText)
	}
	if isSSHSignature(text) {
		return v.verifySSH(ctx, image, text)
	}
	return v.verifyEd25519(ctx, image, text)
}

// errNoKind is for text that is no key of any kind.
var errNoKind = errors.New("is no key of minisign, signify or SSH")
