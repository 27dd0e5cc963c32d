package imagefile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/livebuild/livebuild/internal/progress"
)

// partForm is the name of a part of an image file that was cut: that of the file, and a number as
// livebuild writes it, split(1) with --numeric-suffixes, or 7-Zip. Without the word, a number
// follows the extension of an image: other names end in numbers that are versions.
var partForm = regexp.MustCompile(`(?i)^(.+\.(?:iso|img|raw|zst|xz|gz)\.)(part)?([0-9]{2,5})$`)

// maxParts bounds how many files an image is read from.
const maxParts = 10000

// PartName is the name of a part of a file that is cut, counted from 0: names sort as the parts
// follow each other, of up to count.
func PartName(path string, part, count int) string {
	return fmt.Sprintf("%s.part%0*d", path, max(2, len(strconv.Itoa(count-1))), part)
}

// SumsName is the file that has the SHA-256 of an image at path, and of its parts.
func SumsName(path string) string { return path + ".sha256" }

// SumLine is a line in a file of checksums, as sha256sum(1) writes it.
func SumLine(sum, name string) string {
	if escaped := escaper.Replace(name); escaped != name {
		return fmt.Sprintf("\\%s  %s\n", sum, escaped)
	}
	return fmt.Sprintf("%s  %s\n", sum, name)
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

// SumsOnlyOf reports whether the file of checksums of the image at path, if there is one, has
// nothing but those of the image and of parts of it.
func SumsOnlyOf(path string) (bool, error) {
	text, err := readSums(SumsName(path))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if errors.As(err, new(*SumError)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(text) {
		s, ok := parseSum(strings.TrimSpace(line))
		if !ok || WholeName(s.name) != filepath.Base(path) {
			return false, nil
		}
	}
	return true, nil
}

// WholeName is the name of the image that a file is the first part of, as its name says, or that
// of the file.
func WholeName(path string) string {
	if m := partForm.FindStringSubmatch(path); m != nil {
		return m[1][:len(m[1])-1]
	}
	return path
}

// PartError says what is wrong with a part of an image that was cut.
type PartError struct {
	Path   string // of the part
	Reason string
	First  string // the part that stands for the image, if another was named
}

func (e *PartError) Error() string { return e.Path + " " + e.Reason }

// stored is what an image is read from: a file, or the parts of one.
type stored interface {
	io.ReaderAt
	io.Closer
}

// parts are the files of an image that was cut, in order. All but the last have the same size.
type parts struct {
	files []*os.File
	each  int64 // size in bytes
	total int64
}

// openParts opens the parts of the image whose first one is at path. It returns nil if that is no
// part of anything.
func openParts(path string) (*parts, error) {
	names, err := findParts(path)
	if err != nil || names == nil {
		return nil, err
	}
	if err := checkNamed(WholeName(path), names); err != nil {
		return nil, err
	}
	p := &parts{}
	for i, name := range names {
		if err := p.add(name, i == len(names)-1); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// findParts lists the parts of an image by its first one, or says what is wrong with them.
func findParts(path string) ([]string, error) {
	folder, name := filepath.Split(path)
	m := partForm.FindStringSubmatch(name)
	if m == nil {
		return nil, nil
	}
	number, _ := strconv.Atoi(m[3])
	at := func(n int) string { return fmt.Sprintf("%s%s%s%0*d", folder, m[1], m[2], len(m[3]), n) }
	there := func(n int) bool {
		info, err := os.Stat(at(n))
		return err == nil && info.Mode().IsRegular()
	}
	first, marked := 0, m[2] != ""
	if !marked && !there(0) && there(1) { // 7-Zip counts from 1
		first = 1
	}
	switch {
	case !there(number): // opening it says so
		return nil, nil
	case number != first && there(first):
		return nil, &PartError{Path: path, Reason: "is not the first part of the image", First: at(first)}
	case number != first && marked:
		return nil, &PartError{Path: at(first), Reason: fmt.Sprintf("is missing: %s is a later part of the same image", filepath.Base(path))}
	case number != first, !marked && !there(first+1):
		return nil, nil
	}
	last, err := lastPart(folder, m[1]+m[2], len(m[3]))
	if err != nil {
		return nil, err
	}
	var names []string
	for n := first; n <= last; n++ {
		if !there(n) {
			return nil, &PartError{Path: at(n), Reason: fmt.Sprintf("is missing: %s is a later part of the same image", filepath.Base(at(last)))}
		}
		names = append(names, at(n))
	}
	return names, nil
}

// lastPart is the highest number behind a name in a folder.
func lastPart(folder, prefix string, digits int) (last int, err error) {
	if folder == "" {
		folder = "."
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		name := e.Name()
		if len(name) != len(prefix)+digits || name[:len(prefix)] != prefix {
			continue
		}
		if n, err := strconv.ParseUint(name[len(prefix):], 10, 31); err == nil {
			last = max(last, int(n))
		}
	}
	if last >= maxParts {
		return 0, &PartError{Path: filepath.Join(folder, prefix), Reason: fmt.Sprintf("has more than %d parts", maxParts)}
	}
	return last, nil
}

// checkNamed holds the parts against those that the image's own file of checksums names, if it
// names any: the last ones can be missing, or be those of another image.
func checkNamed(whole string, names []string) error {
	source := SumsName(whole)
	text, err := readSums(source)
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*SumError)) { // FindSum tells
		return nil
	}
	if err != nil {
		return err
	}
	named := 0
	for _, s := range parseSums(text) {
		base := filepath.Base(s.name)
		if m := partForm.FindStringSubmatch(base); m == nil || WholeName(base) != filepath.Base(whole) {
			continue
		}
		named++
		if !slices.ContainsFunc(names, func(name string) bool { return filepath.Base(name) == base }) {
			return &PartError{Path: filepath.Join(filepath.Dir(whole), base), Reason: "is missing: " + source + " names it"}
		}
	}
	if named > 0 && named < len(names) {
		return &PartError{Path: names[named], Reason: fmt.Sprintf("is none of the %d parts that %s names", named, source)}
	}
	return nil
}

// add opens the next part.
func (p *parts) add(path string, last bool) error {
	f, err := os.Open(path)
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return &OpenError{path, cause.Err}
	}
	if err != nil {
		return err
	}
	p.files = append(p.files, f)
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &NotRegularError{path}
	case info.Size() == 0:
		return &EmptyError{path}
	case len(p.files) == 1:
		p.each = info.Size()
	case info.Size() > p.each, !last && info.Size() < p.each:
		return &PartError{Path: path, Reason: fmt.Sprintf("has %d bytes, where the parts before it have %d: it is not complete, or not of the same image", info.Size(), p.each)}
	}
	p.total += info.Size()
	return nil
}

// ReadAt reads from the parts that the range lies in.
func (p *parts) ReadAt(b []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	for n < len(b) {
		at := offset + int64(n)
		i := at / p.each
		if at >= p.total || i >= int64(len(p.files)) {
			return n, io.EOF
		}
		within := at - i*p.each
		want := b[n:min(int64(len(b)), int64(n)+p.each-within)]
		got, err := p.files[i].ReadAt(want, within)
		n += got
		if err == io.EOF && got < len(want) && at+int64(got) < p.total {
			return n, io.ErrUnexpectedEOF // it was cut after it was opened
		}
		if err != nil && (err != io.EOF || got < len(want)) {
			return n, err
		}
	}
	return n, nil
}

func (p *parts) Close() error {
	var all []error
	for _, f := range p.files {
		all = append(all, f.Close())
	}
	return errors.Join(all...)
}

// wrong finds the part that is not what a file of checksums says, or returns nil.
func (p *parts) wrong(ctx context.Context, source string) error {
	text, err := readSums(source)
	if err != nil {
		return nil // the sum may have been given by a flag
	}
	named := parseSums(text)
	for i, f := range p.files {
		name := filepath.Base(f.Name())
		want, ok := sumOf(named, name)
		if !ok || want.algorithm != SHA256 {
			return nil
		}
		h := sha256.New()
		if _, err := io.Copy(h, progress.NewReader(ctx, io.NewSectionReader(f, 0, min(p.each, p.total-int64(i)*p.each)), nil)); err != nil {
			return err
		}
		got := hexOf(h)
		if got == want.sum {
			continue
		}
		reason := fmt.Sprintf("is damaged, or of another image: it has the SHA-256 %s, not %s, which %s says", got, want.sum, source)
		if other := slices.IndexFunc(named, func(s namedSum) bool { return s.sum == got }); other >= 0 {
			reason = fmt.Sprintf("is in the wrong place: by %s it is %s", source, named[other].name)
		}
		return &PartError{Path: f.Name(), Reason: reason}
	}
	return nil
}
