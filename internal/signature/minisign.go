package signature

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"aead.dev/minisign"
)

// Keys and signatures of signify, and of minisign after it, are a line with a comment and one in
// base 64: two letters for the algorithm, a number of the key of 8 bytes, and the key or
// signature (struct pubkey and struct sig in signify.c).
const (
	commentLine = "untrusted comment: "
	plainEd     = "Ed" // Ed25519 of all bytes
	hashedEd    = "ED" // of their BLAKE2b-512
	keyNumber   = 8
	edKeySize   = 2 + keyNumber + ed25519.PublicKeySize
	edSigSize   = 2 + keyNumber + ed25519.SignatureSize
)

// edKey is a public key of minisign or signify.
type edKey struct {
	number [keyNumber]byte
	public ed25519.PublicKey
}

// id is how minisign shows the number of a key.
func id(number []byte) string {
	number = slices.Clone(number)
	slices.Reverse(number)
	return strings.ToUpper(hex.EncodeToString(number))
}

func (k edKey) String() string { return "key " + id(k.number[:]) }

// secondLine decodes the line in base 64 after a comment; without one it is the first.
func secondLine(text string) ([]byte, error) {
	first, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if strings.HasPrefix(first, commentLine) {
		first, _, _ = strings.Cut(rest, "\n")
	}
	return base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(first))
}

// parseEdKey reads a public key of minisign or signify.
func parseEdKey(text string) (edKey, bool) {
	raw, err := secondLine(text)
	if err != nil || len(raw) != edKeySize || string(raw[:2]) != plainEd {
		return edKey{}, false
	}
	return edKey{[keyNumber]byte(raw[2:]), ed25519.PublicKey(raw[2+keyNumber:])}, true
}

// minisignSigner reads a secret key of minisign.
func minisignSigner(name string, text []byte, passphrase Passphrase) (*Signer, error) {
	var key minisign.PrivateKey
	if minisign.IsEncrypted(text) {
		word, err := passphrase(name)
		if err != nil {
			return nil, err
		}
		if key, err = minisign.DecryptKey(word, text); err != nil {
			return nil, &PassphraseError{name}
		}
	} else if err := key.UnmarshalText(text); err != nil {
		return nil, &KeyError{name, "is no whole secret key of minisign"}
	}
	return &Signer{Minisign, func(ctx context.Context, image Image) ([]byte, error) {
		r := minisign.NewReader(image.open(ctx))
		if _, err := io.CopyBuffer(io.Discard, r, make([]byte, 1<<20)); err != nil {
			return nil, err
		}
		// No time: equal images have equal signatures.
		comment := strings.Map(visible, "file:"+filepath.Base(image.Name)+"\thashed")
		return r.SignWithComments(key, comment, "signature by livebuild"), nil
	}}, nil
}

// visible leaves the letters that a line can have.
func visible(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f {
		return '?'
	}
	return r
}

// verifyEd25519 checks a signature of minisign or signify.
func (v *Verifier) verifyEd25519(ctx context.Context, image Image, text []byte) (string, error) {
	if !bytes.HasPrefix(text, []byte(commentLine)) {
		return "", errFormat("it is neither of minisign nor of signify nor of SSH")
	}
	raw, err := secondLine(string(text))
	if err != nil || len(raw) != edSigSize {
		return "", errFormat("its second line is not one in base 64 of %d bytes", edSigSize)
	}
	algorithm, number, signature := string(raw[:2]), raw[2:2+keyNumber], raw[2+keyNumber:]
	n := slices.IndexFunc(v.ed25519, func(k edKey) bool { return bytes.Equal(k.number[:], number) })
	if n < 0 {
		return "", &OtherKeyError{"key " + id(number)}
	}
	key := v.ed25519[n]
	lines := strings.Count(strings.TrimSpace(string(text)), "\n")
	if lines > 1 { // of minisign
		var whole minisign.Signature
		if err := whole.UnmarshalText(text); err != nil {
			return "", errFormat("the lines of minisign are not whole")
		}
		if !ed25519.Verify(key.public, append(slices.Clone(signature), whole.TrustedComment...), whole.CommentSignature[:]) {
			return "", &MismatchError{}
		}
	}
	var good bool
	switch {
	case algorithm == plainEd:
		good, err = verifyStream(key.public, func() io.Reader { return image.open(ctx) }, signature)
	case algorithm == hashedEd && lines > 1:
		good, err = verifyHashed(ctx, key, image, text)
	default:
		return "", errFormat("its algorithm is %q", algorithm)
	}
	if err != nil {
		return "", err
	}
	if !good {
		return "", &MismatchError{}
	}
	return key.String(), nil
}

// verifyHashed checks a signature of the image's BLAKE2b-512.
func verifyHashed(ctx context.Context, key edKey, image Image, text []byte) (bool, error) {
	var public minisign.PublicKey
	encoded := base64.StdEncoding.EncodeToString(slices.Concat([]byte(plainEd), key.number[:], key.public))
	if err := public.UnmarshalText([]byte(encoded)); err != nil {
		return false, err
	}
	r := minisign.NewReader(image.open(ctx))
	if _, err := io.CopyBuffer(io.Discard, r, make([]byte, 1<<20)); err != nil {
		return false, err
	}
	return r.Verify(public, text), nil
}
