package secureboot

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/livebuild/livebuild/pkg/authenticode"
)

// SBAT is how programs that a shim starts say which known holes they no longer have: a generation
// for each component, which a shim holds against the least that it takes (shim, SBAT.md).

// SBATSection is the section of a program with its SBAT, levelSection that of a shim with what it demands.
const (
	SBATSection  = ".sbat"
	levelSection = ".sbatlevel"
)

// Component is a line of an SBAT.
type Component struct {
	Name       string `json:"name"`
	Generation int    `json:"generation"`
	Vendor     string `json:"vendor,omitempty"`
	Package    string `json:"package,omitempty"`
	Version    string `json:"version,omitempty"`
	URL        string `json:"url,omitempty"`
}

// SBAT is the text of a section.
type SBAT []Component

// grubGenerations say since which version GRUB as its authors publish it has mended what a
// generation stands for (shim, SbatLevel_Variable.txt; the announcements "[SECURITY PATCH]" on
// grub-devel of 2021-03, 2022-06, 2022-11, 2023-10 and 2025-02), the newest first. A package that was
// mended in another way may claim more: by --sbat.
var grubGenerations = []struct {
	version    string
	generation int
}{{"2.14", 5}, {"2.12", 4}, {"2.06", 1}}

// UnknownVersionError says that it is not known what a GRUB may claim.
type UnknownVersionError struct{ Version string }

func (e *UnknownVersionError) Error() string {
	if e.Version == "" {
		return "the package of GRUB does not tell its version: it is not known what it may say of itself to a shim (SBAT)"
	}
	return fmt.Sprintf("it is not known what GRUB %s may say of itself to a shim (SBAT)", e.Version)
}

// SBATError says that a file is no SBAT.
type SBATError struct{ File, Reason string }

func (e *SBATError) Error() string { return fmt.Sprintf("%s: no SBAT: %s", e.File, e.Reason) }

// GRUBSBAT is what a GRUB of that version claims. The error is an [*UnknownVersionError].
func GRUBSBAT(version string) (SBAT, error) {
	for _, g := range grubGenerations {
		if newer(version, g.version) {
			return SBAT{
				{"sbat", 1, "SBAT Version", "sbat", "1", "https://github.com/rhboot/shim/blob/main/SBAT.md"},
				{"grub", g.generation, "Free Software Foundation", "grub", version, "https://www.gnu.org/software/grub/"},
			}, nil
		}
	}
	return nil, &UnknownVersionError{version}
}

// newer tells whether a version, "2.12", is one or a later one, by its first two numbers.
func newer(version, than string) bool {
	a, okA := numbers(version)
	b, okB := numbers(than)
	return okA && okB && (a[0] > b[0] || a[0] == b[0] && a[1] >= b[1])
}

func numbers(version string) (n [2]int, ok bool) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return n, false
	}
	for i := range n {
		digits := parts[i]
		if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = digits[:end] // "12-rc1"
		}
		var err error
		if n[i], err = strconv.Atoi(digits); err != nil {
			return n, false
		}
	}
	return n, true
}

// ReadSBAT reads a file with an SBAT. The error is a [*SBATError], or comes from the file.
func ReadSBAT(name string) (SBAT, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	s, err := ParseSBAT(data)
	switch {
	case err != nil:
		return nil, &SBATError{name, err.Error()}
	case len(s) == 0 || s[0].Name != "sbat":
		return nil, &SBATError{name, `its first line is not that of "sbat"`}
	case s.generation("grub") == 0:
		return nil, &SBATError{name, `no line of it is about "grub"`}
	case len(s.Text()) > sbatPlace.size:
		return nil, &SBATError{name, fmt.Sprintf("it has more than %d bytes", sbatPlace.size)}
	}
	return s, nil
}

// maxComponents bounds an SBAT.
const maxComponents = 256

// ParseSBAT reads the text of a section: lines of values between commas, up to a zero.
func ParseSBAT(text []byte) (SBAT, error) {
	text, _, _ = bytes.Cut(text, []byte{0})
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	var all SBAT
	for {
		fields, err := r.Read()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(all) == maxComponents {
			return nil, fmt.Errorf("it has more than %d lines", maxComponents)
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("line %d has no generation", len(all)+1)
		}
		generation, err := strconv.ParseUint(fields[1], 10, 31)
		if err != nil || generation == 0 {
			return nil, fmt.Errorf("%q is no generation", fields[1])
		}
		fields = append(fields, "", "", "", "")
		all = append(all, Component{fields[0], int(generation), fields[2], fields[3], fields[4], fields[5]})
	}
}

// Text is the contents of a section.
func (s SBAT) Text() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, c := range s {
		w.Write([]string{c.Name, strconv.Itoa(c.Generation), c.Vendor, c.Package, c.Version, c.URL}) // into memory
	}
	w.Flush()
	return b.Bytes()
}

// String says each component with its generation: "sbat,1 grub,4".
func (s SBAT) String() string {
	var all []string
	for _, c := range s {
		all = append(all, fmt.Sprintf("%s,%d", c.Name, c.Generation))
	}
	return strings.Join(all, " ")
}

// generation is that of a component; 0 if there is none.
func (s SBAT) generation(name string) int {
	for _, c := range s {
		if c.Name == name {
			return c.Generation
		}
	}
	return 0
}

// ImageSBAT is what a program says of itself; nil if it has no such section.
func ImageSBAT(i *authenticode.Image) (SBAT, error) {
	section := i.Section(SBATSection)
	if section == nil {
		return nil, nil
	}
	return ParseSBAT(section)
}

// demanded is what a shim demands of what it starts, where nothing else was set: the older of the two
// lists that its section has (include/sbat.h of shim, "sbat_level_section").
func demanded(shim *authenticode.Image) (SBAT, error) {
	section := shim.Section(levelSection)
	if len(section) < 12 {
		return nil, nil // one of before 15.7
	}
	// A version, 0, and where the two texts begin, from behind the version.
	at := 4 + int64(uint32(section[4])|uint32(section[5])<<8|uint32(section[6])<<16|uint32(section[7])<<24)
	if at >= int64(len(section)) {
		return nil, fmt.Errorf("its section %s is damaged", levelSection)
	}
	return ParseSBAT(section[at:])
}
