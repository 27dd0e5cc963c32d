package authenticode

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Sign returns the image with one signature more, by the key that the certificate is of.
// Signatures that it has stay. Equal images, keys and certificates make equal bytes: there
// is no time in it, which no firmware asks for. The errors are of type [*FormatError], or
// of the key.
func (i *Image) Sign(key crypto.Signer, certificate *x509.Certificate) ([]byte, error) {
	public, ok := key.Public().(*rsa.PublicKey)
	if !ok || !public.Equal(certificate.PublicKey) {
		return nil, errors.New("signing a program: the key is not the RSA key of the certificate")
	}
	entry, err := i.signature(key, certificate)
	if err != nil {
		return nil, fmt.Errorf("signing a program: %w", err)
	}
	return i.withEntry(entry)
}

// With returns the image with one signature more, which was made of an image with the same [Image.Digest]. Those
// that it has stay. The errors are a [*SignatureError] if it is none of this image, and a [*FormatError].
func (i *Image) With(s *Signature) ([]byte, error) {
	if err := i.Check(s); err != nil {
		return nil, err
	}
	return i.withEntry(s.entry)
}

// withEntry is the image with one signature more, as PKCS #7.
func (i *Image) withEntry(entry []byte) ([]byte, error) {
	if entries, err := i.entries(); err != nil {
		return nil, err
	} else if len(entries) == maxSignature {
		return nil, malformed("it has %d signatures already", maxSignature)
	}
	table := pad(bytes.Clone(i.table))
	table = binary.LittleEndian.AppendUint32(table, uint32(winCertSize+len(entry)))
	table = binary.LittleEndian.AppendUint16(table, revision2)
	table = binary.LittleEndian.AppendUint16(table, pkcsSigned)
	return i.withTable(pad(append(table, entry...))), nil
}

// pad fills up to the alignment.
func pad(b []byte) []byte {
	return append(b, make([]byte, -len(b)&(alignment-1))...)
}

// signature is the PKCS #7 SignedData over the image.
func (i *Image) signature(key crypto.Signer, certificate *x509.Certificate) ([]byte, error) {
	sha := pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: null}
	content, err := asn1.Marshal(indirectData{
		Data:   imageData{oidPEImageData, asn1.RawValue{FullBytes: obsolete}},
		Digest: digestInfo{sha, i.Digest(crypto.SHA256)},
	})
	if err != nil {
		return nil, err
	}
	// What is signed is the content without its own tag and length (RFC 2315 §9.3).
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(content, &outer); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(outer.Bytes)
	attributes, err := attributes(sum[:])
	if err != nil {
		return nil, err
	}
	// Of attributes, the encoding is signed as the SET that they are, not as the tagged one
	// that is stored (RFC 2315 §9.3).
	signed, err := asn1.Marshal(constructed(asn1.ClassUniversal, asn1.TagSet, attributes))
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(signed)
	signature, err := key.Sign(rand.Reader, hash[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	data, err := asn1.Marshal(signedData{
		Version:      1,
		Algorithms:   []pkix.AlgorithmIdentifier{sha},
		Content:      contentInfo{oidIndirectData, constructed(asn1.ClassContextSpecific, 0, content)},
		Certificates: constructed(asn1.ClassContextSpecific, 0, certificate.Raw),
		Signers: []signerInfo{{
			Version:    1,
			Signer:     issuerAndSerial{asn1.RawValue{FullBytes: certificate.RawIssuer}, certificate.SerialNumber},
			Digest:     sha,
			Attributes: constructed(asn1.ClassContextSpecific, 0, attributes),
			Encryption: pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: null},
			Signature:  signature,
		}},
	})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oidSignedData, constructed(asn1.ClassContextSpecific, 0, data)})
}

// attributes are the two that a signature has to have, in the order of DER.
func attributes(digest []byte) ([]byte, error) {
	var all [][]byte
	for _, a := range []struct {
		oid   asn1.ObjectIdentifier
		value any
	}{{oidContentType, oidIndirectData}, {oidMessageDigest, digest}} {
		value, err := asn1.Marshal(a.value)
		if err != nil {
			return nil, err
		}
		encoded, err := asn1.Marshal(attribute{a.oid, constructed(asn1.ClassUniversal, asn1.TagSet, value)})
		if err != nil {
			return nil, err
		}
		all = append(all, encoded)
	}
	slices.SortFunc(all, bytes.Compare)
	return slices.Concat(all...), nil
}
