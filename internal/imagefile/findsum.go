package imagefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxSums bounds a file of checksums, in bytes. Those of whole mirrors are
// smaller.
const maxSums = 16 << 20

// ownSuffixes follow the name of the one file that a sum is of.
var ownSuffixes = []string{".sha256", ".sha256sum", ".sha256.txt", ".sha256sum.txt", ".sha512", ".sha512sum", ".sha512.txt", ".sha512sum.txt"}

// sharedNames are files with the sums of several files: those of sha256sum(1)
// and sha512sum(1) as distributions name them, and CHECKSUM, which Fedora and
// the BSDs put more words around.
var (
	sharedNames = []string{"SHA256SUMS", "sha256sum.txt", "SHA512SUMS", "sha512sum.txt", "CHECKSUM"}
	sharedForm  = regexp.MustCompile(`(?i)^(sha(256|512)(sums?)?(\.txt|\.asc)?|(.+-)?checksums?(\.sha(256|512).*)?(\.txt|\.asc)?)$`)
	signature   = regexp.MustCompile(`(?i)\.(sig|gpg|sign|minisig)$`)
)

// FindSum looks for the checksum of the file beside it: in files for it alone,
// such as IMAGE.sha256, and in those for several, such as SHA256SUMS, by its name
// or by that of the image in it. It returns nil if nothing there is about it.
//
// The error is a [SumError] if such a file names the image, but no sum that can
// be used, or is no text; or it is one of reading.
func (f *File) FindSum() (*Checksum, error) {
	path := f.Path
	if _, cut := f.file.(*parts); cut {
		path = WholeName(path)
	}
	folder, name := filepath.Split(path)
	names := []string{name}
	if f.Format != Plain {
		names = append(names, strings.TrimSuffix(name, filepath.Ext(name)))
	}
	var unclear error
	for _, of := range names {
		for _, suffix := range ownSuffixes {
			text, err := readSums(folder + of + suffix)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if sum, err := ownSum(text, folder+of+suffix, of, names); sum != nil || err != nil {
				return sum, err
			}
		}
	}
	for _, shared := range sharedFiles(folder) {
		text, err := readSums(folder + shared)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var bad *SumError
		if err != nil && !errors.As(err, &bad) {
			return nil, err
		}
		sum := (*Checksum)(nil)
		if err == nil {
			sum, err = sharedSum(text, folder+shared, names)
		}
		if sum != nil {
			return sum, nil
		}
		if unclear == nil {
			unclear = err
		}
	}
	return nil, unclear
}

// SumFor reads the checksum of a file with a name out of a text from elsewhere, as it is in files
// like IMAGE.sha256 (own) and SHA256SUMS. It returns nil if the text is not about the file. The error
// is a [SumError] that names the source.
func SumFor(text []byte, source, name string, own bool) (*Checksum, error) {
	decoded, ok := decodeText(text)
	if !ok {
		return nil, &SumError{source, "is no text"}
	}
	names := []string{name}
	if ext := filepath.Ext(name); slices.Contains([]string{".gz", ".zst", ".xz"}, ext) {
		names = append(names, strings.TrimSuffix(name, ext))
	}
	if own {
		return ownSum(decoded, source, name, names)
	}
	return sharedSum(decoded, source, names)
}

// sharedFiles lists the files of checksums in a folder, the usual ones first.
// What a folder holds need not be for everybody to know.
func sharedFiles(folder string) []string {
	names := slices.Clone(sharedNames)
	if folder == "" {
		folder = "."
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return names
	}
	for _, e := range entries {
		if sharedForm.MatchString(e.Name()) && !signature.MatchString(e.Name()) && !slices.Contains(names, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// ownSum is the sum in a file that is about one file, and need not name it.
func ownSum(text, path, of string, names []string) (*Checksum, error) {
	sums := parseSums(text)
	for _, name := range append([]string{of}, names...) {
		if sum, ok := sumOf(sums, name); ok {
			return sum.checksum(path, name != names[0]), nil
		}
	}
	// Or the sum is that of a file which was renamed.
	var usable []namedSum
	for _, s := range sums {
		if s.algorithm != "" && !slices.ContainsFunc(usable, func(u namedSum) bool { return u.sum == s.sum }) {
			usable = append(usable, s)
		}
	}
	switch {
	case len(usable) == 0:
		return nil, &SumError{path, "holds no SHA-256 or SHA-512"}
	case len(usable) > 1:
		return nil, &SumError{path, "holds several checksums, and none by the name " + of}
	}
	return usable[0].checksum(path, of != names[0]), nil
}

// sharedSum is the sum of a file among those of others, or nil.
func sharedSum(text, path string, names []string) (*Checksum, error) {
	sums := parseSums(text)
	for _, name := range names {
		if sum, ok := sumOf(sums, name); ok {
			return sum.checksum(path, name != names[0]), nil
		}
	}
	for _, name := range names {
		if mentions(text, name) {
			return nil, &SumError{path, fmt.Sprintf("names %s, but no SHA-256 or SHA-512 of it", name)}
		}
	}
	return nil, nil
}

func (s namedSum) checksum(source string, ofImage bool) *Checksum {
	return &Checksum{Algorithm: s.algorithm, Sum: s.sum, Source: source, OfImage: ofImage}
}

// sumOf is the sum by which the file with a name can be checked.
func sumOf(sums []namedSum, name string) (namedSum, bool) {
	n := slices.IndexFunc(sums, func(s namedSum) bool { return s.algorithm != "" && s.is(name) })
	if n < 0 {
		return namedSum{}, false
	}
	return sums[n], true
}

// readSums reads a file of checksums as text.
func readSums(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fs.ErrNotExist
	case !info.Mode().IsRegular():
		return "", &SumError{path, "is not a regular file"}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSums+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxSums:
		return "", &SumError{path, fmt.Sprintf("is larger than %d MiB", maxSums>>20)}
	}
	text, ok := decodeText(b)
	if !ok {
		return "", &SumError{path, "is no text"}
	}
	return text, nil
}
