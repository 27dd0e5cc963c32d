package authenticode

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
)

// Signature is one of an image.
type Signature struct {
	// Signer is the certificate of the key that signed, Others are what else came with it.
	Signer *x509.Certificate
	Others []*x509.Certificate

	hash   crypto.Hash // of the image
	digest []byte      // that it is said to have

	content    []byte // what the attributes have the digest of
	attributes []byte // SET OF Attribute, as it is signed
	signer     signerInfo

	entry []byte // of the certificate table, with padding if that was counted
}

// SignatureError says that a signature does not hold.
type SignatureError struct{ Reason string }

func (e *SignatureError) Error() string { return "the signature does not hold: " + e.Reason }

// Signatures reads the signatures of an image; that they hold, [Image.Check] finds out.
// The error is a [*FormatError].
func (i *Image) Signatures() ([]*Signature, error) {
	entries, err := i.entries()
	if err != nil {
		return nil, err
	}
	var all []*Signature
	for n, entry := range entries {
		s, err := parseSignature(entry)
		if err != nil {
			return nil, malformed("signature %d: %v", n+1, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// decode reads one value. Behind it may be padding.
func decode(data []byte, into any) error {
	rest, err := asn1.Unmarshal(data, into)
	if err == nil && len(bytes.Trim(rest, "\x00")) > 0 {
		err = fmt.Errorf("%d bytes too many", len(rest))
	}
	return err
}

func parseSignature(entry []byte) (*Signature, error) {
	var info contentInfo
	var data signedData
	if err := decode(entry, &info); err != nil {
		return nil, err
	}
	if !info.Type.Equal(oidSignedData) {
		return nil, fmt.Errorf("it is of the kind %v", info.Type)
	}
	if err := decode(info.Content.Bytes, &data); err != nil {
		return nil, err
	}
	if !data.Content.Type.Equal(oidIndirectData) || len(data.Signers) != 1 {
		return nil, fmt.Errorf("it has %d signers of content of the kind %v", len(data.Signers), data.Content.Type)
	}
	var content asn1.RawValue
	var indirect indirectData
	if err := decode(data.Content.Content.Bytes, &content); err != nil {
		return nil, err
	}
	if err := decode(data.Content.Content.Bytes, &indirect); err != nil {
		return nil, err
	}
	certificates, err := x509.ParseCertificates(data.Certificates.Bytes)
	if err != nil {
		return nil, err
	}
	s := &Signature{
		hash: hashOf(indirect.Digest.Algorithm.Algorithm), digest: indirect.Digest.Digest,
		content: content.Bytes, signer: data.Signers[0], entry: entry,
	}
	for _, c := range certificates {
		if s.Signer == nil && c.SerialNumber.Cmp(s.signer.Signer.Serial) == 0 && bytes.Equal(c.RawIssuer, s.signer.Signer.Issuer.FullBytes) {
			s.Signer = c
		} else {
			s.Others = append(s.Others, c)
		}
	}
	if s.Signer == nil {
		return nil, fmt.Errorf("the certificate of its signer is missing")
	}
	s.attributes, err = asn1.Marshal(constructed(asn1.ClassUniversal, asn1.TagSet, s.signer.Attributes.Bytes))
	return s, err
}

// Check finds out whether a signature holds: whether the image is the one that its signer
// signed. Whether the signer is to be trusted is another question; see [Signature.IssuedBy].
// The error is a [*SignatureError].
func (i *Image) Check(s *Signature) error {
	fail := func(format string, args ...any) error { return &SignatureError{fmt.Sprintf(format, args...)} }
	hash := hashOf(s.signer.Digest.Algorithm)
	if s.hash == 0 || hash == 0 {
		return fail("its hash is none of SHA-256, SHA-384 and SHA-512")
	}
	if !bytes.Equal(i.Digest(s.hash), s.digest) {
		return fail("the program was changed after it was signed")
	}
	said, err := s.messageDigest()
	if err != nil {
		return fail("%v", err)
	}
	h := hash.New()
	h.Write(s.content)
	if !bytes.Equal(h.Sum(nil), said) {
		return fail("the digest that it signs is that of something else")
	}
	algorithm := map[crypto.Hash]x509.SignatureAlgorithm{
		crypto.SHA256: x509.SHA256WithRSA, crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA,
	}[hash]
	if err := s.Signer.CheckSignature(algorithm, s.attributes, s.signer.Signature); err != nil {
		return fail("%v", err)
	}
	return nil
}

// messageDigest is the attribute with the digest of the content.
func (s *Signature) messageDigest() ([]byte, error) {
	for rest := s.signer.Attributes.Bytes; len(rest) > 0; {
		var a attribute
		var err error
		if rest, err = asn1.Unmarshal(rest, &a); err != nil {
			return nil, err
		}
		if a.Type.Equal(oidMessageDigest) {
			var digest []byte
			err := decode(a.Values.Bytes, &digest)
			return digest, err
		}
	}
	return nil, fmt.Errorf("it has no message digest")
}

// IssuedBy tells whether a certificate is that of the signer, or one that vouches for it,
// over certificates that came with the signature. Firmware and shim ask no more: neither
// for a time nor for a usage.
func (s *Signature) IssuedBy(trusted *x509.Certificate) bool {
	at := s.Signer
	for range len(s.Others) + 1 {
		if at.Equal(trusted) || at.CheckSignatureFrom(trusted) == nil {
			return true
		}
		next := s.issuer(at)
		if next == nil {
			return false
		}
		at = next
	}
	return false
}

// Root is the last certificate of the signer's chain that came with the signature.
func (s *Signature) Root() *x509.Certificate {
	at := s.Signer
	for range s.Others {
		next := s.issuer(at)
		if next == nil {
			break
		}
		at = next
	}
	return at
}

// issuer is the certificate, of those that came along, that vouches for another.
func (s *Signature) issuer(of *x509.Certificate) *x509.Certificate {
	for _, c := range s.Others {
		if !c.Equal(of) && of.CheckSignatureFrom(c) == nil {
			return c
		}
	}
	return nil
}
