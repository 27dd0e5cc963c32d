package secureboot

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// Keys that are protected by a passphrase: EncryptedPrivateKeyInfo of RFC 5958 §3, with PBES2 of
// RFC 8018 §6.2, which is what OpenSSL writes by default.

// errPassphrase says that a passphrase is wrong.
var errPassphrase = errors.New("wrong passphrase")

type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2 struct {
	Derivation pkix.AlgorithmIdentifier
	Cipher     pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// maxIterations bounds the work that a file may ask for; OpenSSL writes 2048, careful people
// some millions.
const maxIterations = 100 << 20

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
)

// hashes are the pseudo-random functions, HMAC of these.
var hashes = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// ciphers are those in CBC mode, with the length of their keys in bytes.
var ciphers = map[string]struct {
	key  int
	make func([]byte) (cipher.Block, error)
}{
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
}

// decryptPKCS8 returns the PrivateKeyInfo. The error is errPassphrase, or says what is not known.
func decryptPKCS8(der []byte, passphrase string) ([]byte, error) {
	var sealed encryptedKey
	var scheme pbes2
	var derivation pbkdf2Params
	var iv []byte
	if _, err := asn1.Unmarshal(der, &sealed); err != nil {
		return nil, err
	}
	if name := sealed.Algorithm.Algorithm.String(); name != oidPBES2 {
		return nil, fmt.Errorf("by the scheme %s", name)
	}
	if _, err := asn1.Unmarshal(sealed.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, err
	}
	if name := scheme.Derivation.Algorithm.String(); name != oidPBKDF2 {
		return nil, fmt.Errorf("by the key derivation %s", name)
	}
	if _, err := asn1.Unmarshal(scheme.Derivation.Parameters.FullBytes, &derivation); err != nil {
		return nil, err
	}
	prf := ""
	if derivation.PRF.Algorithm != nil {
		prf = derivation.PRF.Algorithm.String()
	}
	newHash, ok := hashes[prf]
	if !ok || derivation.Iterations < 1 || derivation.Iterations > maxIterations {
		return nil, fmt.Errorf("by %d rounds of %s", derivation.Iterations, prf)
	}
	by, ok := ciphers[scheme.Cipher.Algorithm.String()]
	if !ok {
		return nil, fmt.Errorf("by the cipher %s", scheme.Cipher.Algorithm)
	}
	if _, err := asn1.Unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, err
	}
	key, err := pbkdf2.Key(newHash, passphrase, derivation.Salt, derivation.Iterations, by.key)
	if err != nil {
		return nil, err
	}
	block, err := by.make(key)
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(iv) != size || len(sealed.Data) == 0 || len(sealed.Data)%size != 0 {
		return nil, fmt.Errorf("its %d bytes are no whole blocks", len(sealed.Data))
	}
	plain := bytes.Clone(sealed.Data)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, plain)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, errPassphrase
	}
	return plain[:len(plain)-padding], nil
}
