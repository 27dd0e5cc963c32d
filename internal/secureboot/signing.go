package secureboot

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // for crypto.SHA512
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// SigningKey is an OpenPGP key by which the files that GRUB reads are signed. GRUB has its public
// part inside. It is RSA, as GRUB knows nothing newer (pkalgos in grub-core/commands/pgp.c).
type SigningKey struct{ entity *openpgp.Entity }

// signingBits is the length of the keys that are made here.
const signingBits = 3072

// signingTime is when those keys were made, as they say, and when they signed: always the same, so
// that what is signed again has the same bytes. It is that of the files of an image, by default.
var signingTime = time.Unix(315532800, 0)

// NewSigningKey makes a key, for one image or for more.
func NewSigningKey() (*SigningKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, signingBits)
	if err != nil {
		return nil, err
	}
	entity := &openpgp.Entity{
		PrimaryKey: packet.NewRSAPublicKey(signingTime, &key.PublicKey),
		PrivateKey: packet.NewRSAPrivateKey(signingTime, key),
		Identities: map[string]*openpgp.Identity{},
		Subkeys:    []openpgp.Subkey{},
	}
	if err := entity.AddUserId("livebuild", "", "", config(signingTime)); err != nil {
		return nil, err
	}
	return &SigningKey{entity}, nil
}

// config has signatures say that time, and nothing that is random.
func config(at time.Time) *packet.Config {
	never := false
	return &packet.Config{
		DefaultHash:                           crypto.SHA512, // of those that GRUB knows the one that is fast on 64 bits
		Time:                                  func() time.Time { return at },
		NonDeterministicSignaturesViaNotation: &never,
	}
}

// ReadSigningKey reads what [SigningKey.Write] wrote, or gpg exports: a private key without a
// passphrase. The errors are of type [*KeyError] and [*RightsError], or come from the file.
func ReadSigningKey(name string) (*SigningKey, error) {
	data, err := readFile(name, true)
	if err != nil {
		return nil, err
	}
	all, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(data))
	if err != nil {
		all, err = openpgp.ReadKeyRing(bytes.NewReader(data))
	}
	switch {
	case err != nil || len(all) != 1:
		return nil, &KeyError{name, "it has no OpenPGP key, or more than one"}
	case all[0].PrivateKey == nil:
		return nil, &KeyError{name, "it is the public part of an OpenPGP key"}
	case all[0].PrivateKey.Encrypted:
		return nil, &KeyError{name, "the OpenPGP key has a passphrase; one without it is wanted here"}
	}
	if _, ok := all[0].PrivateKey.PrivateKey.(*rsa.PrivateKey); !ok || all[0].PrimaryKey.Version != 4 {
		return nil, &KeyError{name, "the OpenPGP key is no RSA key of version 4: GRUB knows no other"}
	}
	return &SigningKey{all[0]}, nil
}

// Write writes the key for [ReadSigningKey] and gpg, in ASCII armor.
func (k *SigningKey) Write(w io.Writer) error {
	armored, err := armor.Encode(w, openpgp.PrivateKeyType, nil)
	if err != nil {
		return err
	}
	if err := k.entity.SerializePrivateWithoutSigning(armored, nil); err != nil {
		return err
	}
	if err := armored.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

// OpenSigningKey reads a key, or makes one and a file for it, if there is none.
func OpenSigningKey(name string) (k *SigningKey, made bool, err error) {
	k, err = ReadSigningKey(name)
	if !errors.Is(err, os.ErrNotExist) {
		return k, false, err
	}
	if k, err = NewSigningKey(); err != nil {
		return nil, false, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := errors.Join(k.Write(f), f.Sync(), f.Close()); err != nil {
		return nil, false, errors.Join(err, os.Remove(name))
	}
	return k, true, nil
}

// Fingerprint names the key, in hexadecimal digits.
func (k *SigningKey) Fingerprint() string { return hex.EncodeToString(k.entity.PrimaryKey.Fingerprint) }

// Public is the public part as GRUB reads it, with the name that other tools want.
func (k *SigningKey) Public() ([]byte, error) {
	bare := *k.entity
	bare.Subkeys = nil
	var b bytes.Buffer
	if err := bare.Serialize(&b); err != nil {
		return nil, err
	}
	return inOldFormat(b.Bytes())
}

// inOldFormat writes packets with headers of the older kind (RFC 4880 §4.2.1): in newer ones GRUB
// takes lengths from 192 on to be 192 less (read_packet_header).
func inOldFormat(packets []byte) ([]byte, error) {
	var all []byte
	for r := packet.NewOpaqueReader(bytes.NewReader(packets)); ; {
		op, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		const twoBytes = 1
		if op.Tag > 15 || len(op.Contents) > 0xffff {
			return nil, fmt.Errorf("a packet of the kind %d with %d bytes", op.Tag, len(op.Contents))
		}
		all = append(all, 0x80|op.Tag<<2|twoBytes)
		all = binary.BigEndian.AppendUint16(all, uint16(len(op.Contents)))
		all = append(all, op.Contents...)
	}
}

// Sign returns the signature to lie beside a file. Equal files have equal ones: RSA with PKCS #1 v1.5
// takes nothing random.
func (k *SigningKey) Sign(content io.Reader) ([]byte, error) {
	primary := *k.entity
	primary.Subkeys = nil // GRUB looks for the key that signed among all, but the first is enough
	var b bytes.Buffer
	if err := openpgp.DetachSign(&b, &primary, content, config(k.entity.PrimaryKey.CreationTime)); err != nil {
		return nil, err
	}
	return withIssuer(b.Bytes(), k.entity.PrimaryKey.KeyId, k.size())
}

// size is the length of the number that signs, in bytes; few of them are shorter.
func (k *SigningKey) size() int {
	public, ok := k.entity.PrimaryKey.PublicKey.(*rsa.PublicKey)
	if !ok {
		return 0
	}
	return public.Size()
}

// withIssuer adds to a signature which key made it, among what is not signed itself: GRUB reads it
// there alone (grub_verify_signature_real), while today's programs write it where it is signed.
// The format is that of RFC 4880 §5.2.3.
//
// All signatures by a key get one length, so that one can take the place of another: behind it comes
// something private that is longer if the number that signs, without the zeros that it would begin
// with, is shorter than so many bytes.
func withIssuer(signature []byte, key uint64, size int) ([]byte, error) {
	op, err := packet.NewOpaqueReader(bytes.NewReader(signature)).Next()
	if err != nil {
		return nil, err
	}
	body := op.Contents
	const fixed = 6 // version, type, algorithm, hash, and the length of what is signed
	if len(body) < fixed || body[0] != 4 {
		return nil, errors.New("no signature of version 4")
	}
	at := fixed + int(binary.BigEndian.Uint16(body[4:]))
	if at+2 > len(body) {
		return nil, io.ErrUnexpectedEOF
	}
	end := at + 2 + int(binary.BigEndian.Uint16(body[at:]))
	if end > len(body) {
		return nil, io.ErrUnexpectedEOF
	}
	const issuer, private = 16, 101 // types of subpackets; their length counts the type
	added := binary.BigEndian.AppendUint64([]byte{9, issuer}, key)
	const before = 2 + 2 // of the number: how its hash begins, and its length in bits
	short := min(max(0, size-(len(body)-end-before)), 64)
	added = append(append(added, byte(1+short), private), make([]byte, short)...)
	with := append(bytes.Clone(body[:at]), 0, 0)
	with = append(append(with, body[at+2:end]...), added...)
	binary.BigEndian.PutUint16(with[at:], uint16(len(with)-at-2))
	op.Contents = append(with, body[end:]...)
	var b bytes.Buffer
	err = op.Serialize(&b)
	return b.Bytes(), err
}

// Verifier is the public part of a signing key.
type Verifier struct {
	keys   openpgp.EntityList
	public []byte // as GRUB reads it
}

// ParseVerifier reads a public key as [SigningKey.Public] writes it; zeros may follow.
func ParseVerifier(public []byte) (*Verifier, error) {
	public = bytes.Clone(bytes.TrimRight(public, "\x00"))
	keys, err := openpgp.ReadKeyRing(bytes.NewReader(public))
	if err != nil {
		return nil, err
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("%d keys", len(keys))
	}
	return &Verifier{keys, public}, nil
}

// Fingerprint names the key, in hexadecimal digits.
func (v *Verifier) Fingerprint() string { return hex.EncodeToString(v.keys[0].PrimaryKey.Fingerprint) }

// Check finds out whether a signature is one of that content.
func (v *Verifier) Check(content io.Reader, signature []byte) error {
	// Of a key that says it was made in 1980 and is used then, no time of today is asked.
	at := v.keys[0].PrimaryKey.CreationTime
	_, err := openpgp.CheckDetachedSignature(v.keys, content, bytes.NewReader(signature), config(at))
	return err
}
