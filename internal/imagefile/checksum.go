package imagefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Checksum is what an image should have, and who says so.
type Checksum struct {
	SHA256 string // 64 hexadecimal digits, in lower case
	Source string // the file or flag that says so

	// Of a compressed file, a sum can be that of the file as it is stored,
	// which is the usual thing, or that of the image in it.
	OfImage  bool
	OfEither bool
}

// SumError says that a file of checksums, or a flag, does not hold one.
type SumError struct {
	Source string
	Reason string
}

func (e *SumError) Error() string { return e.Source + " " + e.Reason }

var sha256Form = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// ParseSum reads a checksum that a user gives, of a file or the image in it.
func ParseSum(text, source string) (*Checksum, error) {
	if !sha256Form.MatchString(text) {
		return nil, &SumError{source, fmt.Sprintf("needs 64 hexadecimal digits, not %q", text)}
	}
	return &Checksum{SHA256: strings.ToLower(text), Source: source, OfEither: true}, nil
}

// maxSums bounds what is read of a file of checksums.
const maxSums = 1 << 20

// FindSum looks for the checksum of the file beside it: in IMAGE.sha256,
// IMAGE.sha256sum, SHA256SUMS and sha256sum.txt, by its name or by that of the
// image in it. It returns nil if nothing there is about it.
func (f *File) FindSum() (*Checksum, error) {
	folder, name := filepath.Split(f.Path)
	inside := name
	if f.Format != Plain {
		inside = strings.TrimSuffix(name, filepath.Ext(name))
	}
	for _, candidate := range []struct {
		file string
		own  bool // it is about one file, and need not name it
	}{
		{name + ".sha256", true},
		{name + ".sha256sum", true},
		{inside + ".sha256", true},
		{"SHA256SUMS", false},
		{"sha256sum.txt", false},
	} {
		path := folder + candidate.file
		text, err := readLimited(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		of := name
		if candidate.own {
			of = strings.TrimSuffix(strings.TrimSuffix(candidate.file, "sum"), ".sha256")
		}
		for _, want := range []string{of, inside} {
			if sum := findSum(text, want, candidate.own); sum != "" {
				return &Checksum{SHA256: sum, Source: path, OfImage: want != name}, nil
			}
		}
		if !candidate.own {
			continue
		}
		sum := findSum(text, "", true) // that of a file which was renamed
		if sum == "" {
			return nil, &SumError{path, "holds no SHA-256"}
		}
		return &Checksum{SHA256: sum, Source: path, OfImage: of != name}, nil
	}
	return nil, nil
}

func readLimited(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSums))
	return string(b), err
}

// findSum returns the sum of a file: from lines as sha256sum writes them, plain
// and with --tag, or from a file that holds nothing else. An empty name stands
// for any.
func findSum(text, name string, own bool) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		sum, file := "", ""
		if rest, ok := strings.CutPrefix(line, "SHA256 ("); ok {
			file, sum, _ = strings.Cut(rest, ") = ")
		} else if sum, file, ok = strings.Cut(line, " "); ok {
			file = strings.TrimLeft(file, " *")
		}
		if !sha256Form.MatchString(sum) {
			continue
		}
		if name == "" || filepath.Base(file) == name || own && file == "" {
			return strings.ToLower(sum)
		}
	}
	return ""
}
