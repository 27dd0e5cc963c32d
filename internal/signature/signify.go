package signature

import (
	"context"
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"io"
	"slices"

	"golang.org/x/crypto/blowfish" //lint:ignore SA1019 the format is made of it
)

// A secret key of signify (struct enckey in signify.c): algorithm, "BK" for bcrypt_pbkdf, rounds, salt,
// the first bytes of the SHA-512 of the key, its number, and the key, to which the
// derived one is added. Without rounds it is not encrypted.
const (
	signifyKDF    = "BK"
	signifySalt   = 16
	signifySum    = 8
	signifySize   = 2 + 2 + 4 + signifySalt + signifySum + keyNumber + ed25519.PrivateKeySize
	signifyRounds = 1 << 16 // more than anyone waits for; signify itself has 42
)

// signifySigner reads a secret key of signify.
func signifySigner(name string, raw []byte, passphrase Passphrase) (*Signer, error) {
	if len(raw) != signifySize || string(raw[2:4]) != signifyKDF {
		return nil, &KeyError{name, "is no whole secret key of signify"}
	}
	rounds := binary.BigEndian.Uint32(raw[4:])
	salt, rest := raw[8:8+signifySalt], raw[8+signifySalt:]
	sum, number, secret := rest[:signifySum], rest[signifySum:signifySum+keyNumber], slices.Clone(rest[signifySum+keyNumber:])
	switch {
	case rounds > signifyRounds:
		return nil, &KeyError{name, "takes for ever to be opened"}
	case rounds > 0:
		word, err := passphrase(name)
		if err != nil {
			return nil, err
		}
		derived, err := bcryptPBKDF([]byte(word), salt, int(rounds), len(secret))
		if err != nil {
			return nil, &PassphraseError{name}
		}
		subtle.XORBytes(secret, secret, derived)
	}
	if want := sha512.Sum512(secret); subtle.ConstantTimeCompare(want[:signifySum], sum) != 1 {
		if rounds == 0 {
			return nil, &KeyError{name, "is damaged"}
		}
		return nil, &PassphraseError{name}
	}
	key := ed25519.PrivateKey(secret)
	return &Signer{Signify, func(ctx context.Context, image Image) ([]byte, error) {
		signed, err := signStream(key, func() io.Reader { return image.open(ctx) })
		if err != nil {
			return nil, err
		}
		text := base64.StdEncoding.EncodeToString(slices.Concat([]byte(plainEd), number, signed))
		return []byte(commentLine + "signature by livebuild\n" + text + "\n"), nil
	}}, nil
}

// bcryptPBKDF derives a key of so many bytes (OpenBSD's lib/libutil/bcrypt_pbkdf.c). The Go module
// golang.org/x/crypto has it for SSH keys, and exports only Blowfish.
func bcryptPBKDF(password, salt []byte, rounds, length int) ([]byte, error) {
	const block = 32
	blocks := (length + block - 1) / block
	derived := make([]byte, blocks*block)
	hashed := sha512.Sum512(password)
	for n := range blocks {
		salted := sha512.Sum512(binary.BigEndian.AppendUint32(slices.Clone(salt), uint32(n+1)))
		part, err := bcryptHash(hashed[:], salted[:])
		if err != nil {
			return nil, err
		}
		sum := slices.Clone(part)
		for range rounds - 1 {
			salted = sha512.Sum512(part)
			if part, err = bcryptHash(hashed[:], salted[:]); err != nil {
				return nil, err
			}
			subtle.XORBytes(sum, sum, part)
		}
		// The bytes of the blocks alternate.
		for i, b := range sum {
			derived[i*blocks+n] = b
		}
	}
	return derived[:length], nil
}

// bcryptMagic is what bcrypt_pbkdf encrypts.
const bcryptMagic = "OxychromaticBlowfishSwatDynamite"

// bcryptHash is bcrypt with other parameters than for passwords: 64 rounds of keys, and 64 encryptions
// of the magic text, whose words are big-endian and come out little-endian.
func bcryptHash(password, salt []byte) ([]byte, error) {
	c, err := blowfish.NewSaltedCipher(password, salt)
	if err != nil {
		return nil, err
	}
	for range 64 {
		blowfish.ExpandKey(salt, c)
		blowfish.ExpandKey(password, c)
	}
	out := []byte(bcryptMagic)
	for i := 0; i < len(out); i += blowfish.BlockSize {
		for range 64 {
			c.Encrypt(out[i:], out[i:])
		}
	}
	for i := 0; i < len(out); i += 4 {
		slices.Reverse(out[i : i+4])
	}
	return out, nil
}
