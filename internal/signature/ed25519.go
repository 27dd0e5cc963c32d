package signature

import (
	"crypto/ed25519"
	"crypto/sha512"
	"io"

	"filippo.io/edwards25519"
)

// stream opens a message, which is read from its beginning.
type stream func() io.Reader

// hashOf is SHA-512 of the parts, then of the message, as a scalar (RFC 8032 §5.1.6, step 2 and
// 4).
func hashOf(message stream, parts ...[]byte) (*edwards25519.Scalar, error) {
	h := sha512.New()
	for _, part := range parts {
		h.Write(part)
	}
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{message()}, make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	return edwards25519.NewScalar().SetUniformBytes(h.Sum(nil))
}

// signStream is [ed25519.Sign] for a message that need not be in memory, and is read twice
// (RFC 8032 §5.1.6).
func signStream(key ed25519.PrivateKey, message stream) ([]byte, error) {
	digest := sha512.Sum512(key.Seed())
	s, err := edwards25519.NewScalar().SetBytesWithClamping(digest[:32])
	if err != nil {
		return nil, err
	}
	r, err := hashOf(message, digest[32:])
	if err != nil {
		return nil, err
	}
	point := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	public := key.Public().(ed25519.PublicKey)
	k, err := hashOf(message, point, public)
	if err != nil {
		return nil, err
	}
	return append(point, edwards25519.NewScalar().MultiplyAdd(k, s, r).Bytes()...), nil
}

// verifyStream is [ed25519.Verify] for a message that is read once (RFC 8032 §5.1.7).
func verifyStream(public ed25519.PublicKey, message stream, signature []byte) (bool, error) {
	if len(public) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize {
		return false, nil
	}
	a, err := new(edwards25519.Point).SetBytes(public)
	if err != nil {
		return false, nil
	}
	s, err := edwards25519.NewScalar().SetCanonicalBytes(signature[32:])
	if err != nil {
		return false, nil
	}
	k, err := hashOf(message, signature[:32], public)
	if err != nil {
		return false, err
	}
	r := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(k, new(edwards25519.Point).Negate(a), s)
	return string(r.Bytes()) == string(signature[:32]), nil
}
