package signature

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Namespace is that of signatures of files, as 'ssh-keygen -Y sign -n file' has it.
const Namespace = "file"

// sshKey is a public SSH key that may sign.
type sshKey struct {
	key       ssh.PublicKey
	principal string // of a file of allowed signers
}

func (k sshKey) String() string {
	if k.principal != "" {
		return k.principal + ", " + ssh.FingerprintSHA256(k.key)
	}
	return ssh.FingerprintSHA256(k.key)
}

// sshSigner reads a private SSH key.
func sshSigner(name string, text []byte, passphrase Passphrase) (*Signer, error) {
	key, err := ssh.ParsePrivateKey(text)
	if missing, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok && missing != nil {
		word, err := passphrase(name)
		if err != nil {
			return nil, err
		}
		if key, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(word)); err != nil {
			if errors.Is(err, x509.IncorrectPasswordError) {
				return nil, &PassphraseError{name}
			}
			return nil, &KeyError{name, "is no private SSH key that can be used"}
		}
	} else if err != nil {
		return nil, &KeyError{name, "is no private SSH key that can be used"}
	}
	return &Signer{SSH, func(ctx context.Context, image Image) ([]byte, error) {
		signed, err := sshsig.Sign(image.open(ctx), key, sshsig.HashSHA512, Namespace)
		if err != nil {
			return nil, err
		}
		return sshsig.Armor(signed), nil
	}}, nil
}

func isSSHSignature(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN "+sshsig.PEMType+"-----"))
}

// verifySSH checks a signature by an SSH key.
func (v *Verifier) verifySSH(ctx context.Context, image Image, text []byte) (string, error) {
	signed, err := sshsig.Unarmor(text)
	if err != nil {
		return "", errFormat("%s", strings.Map(visible, err.Error()))
	}
	if signed.Namespace != Namespace {
		return "", errFormat("it is of the namespace %.40q, not of files", signed.Namespace)
	}
	for _, k := range v.ssh {
		if !bytes.Equal(k.key.Marshal(), signed.PublicKey.Marshal()) {
			continue
		}
		r := &failing{r: image.open(ctx)}
		err := sshsig.Verify(r, signed, k.key, signed.HashAlgorithm, Namespace)
		switch {
		case err != nil && r.err != nil:
			return "", r.err
		case err != nil:
			return "", &MismatchError{}
		}
		return k.String(), nil
	}
	return "", &OtherKeyError{ssh.FingerprintSHA256(signed.PublicKey)}
}

// parseSSHKeys reads public keys, a line each: as ssh-keygen writes them, or of a file of allowed
// signers (ssh-keygen(1), ALLOWED SIGNERS). Those that may not sign files today are left out, and so are
// certificate authorities.
func parseSSHKeys(text string, now time.Time) (keys []sshKey, err error) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, may, err := parseSSHKey(line, now)
		if err != nil {
			return nil, fmt.Errorf("line %d %w", number, err)
		}
		if may {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func parseSSHKey(line string, now time.Time) (k sshKey, may bool, err error) {
	if key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line)); err == nil && len(options) == 0 {
		return sshKey{key: key}, true, nil
	}
	principal, rest := cutField(line)
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		return k, false, errors.New("is neither a public SSH key nor an allowed signer")
	}
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "cert-authority":
			return k, false, nil
		case "namespaces":
			if !matches(value) {
				return k, false, nil
			}
		case "valid-after", "valid-before":
			at, err := parseTime(value, now.Location())
			if err != nil {
				return k, false, err
			}
			if strings.EqualFold(name, "valid-after") == now.Before(at) {
				return k, false, nil
			}
		default:
			return k, false, fmt.Errorf("has the option %.40q, which is not known", name)
		}
	}
	return sshKey{key, strings.Map(visible, strings.Trim(principal, `"`))}, true, nil
}

// cutField cuts the first field off, which may be in double quotes.
func cutField(line string) (field, rest string) {
	quoted := false
	for i, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return line[:i], strings.TrimSpace(line[i:])
		}
	}
	return line, ""
}

// matches reports whether a list of patterns has the namespace of files; one with ! excludes it.
func matches(patterns string) bool {
	found := false
	for pattern := range strings.SplitSeq(patterns, ",") {
		pattern, not := strings.CutPrefix(pattern, "!")
		// The brackets and the backslash of path.Match mean nothing there.
		pattern = strings.NewReplacer(`\`, `\\`, "[", `\[`).Replace(pattern)
		if ok, err := path.Match(pattern, Namespace); err == nil && ok {
			if not {
				return false
			}
			found = true
		}
	}
	return found
}

// parseTime reads YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z for UTC.
func parseTime(text string, local *time.Location) (time.Time, error) {
	digits, utc := strings.CutSuffix(text, "Z")
	if utc {
		local = time.UTC
	}
	for _, form := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(form) == len(digits) {
			if at, err := time.ParseInLocation(form, digits, local); err == nil {
				return at, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("has the time %.40q, which is none", text)
}

// failing remembers why a reader failed.
type failing struct {
	r   io.Reader
	err error
}
