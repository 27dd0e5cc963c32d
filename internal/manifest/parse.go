package manifest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSize is more than any manifest has, in bytes: a store path takes about 150.
const MaxSize = 64 << 20

// Error says why text is no manifest.
type Error struct{ Reason string }

func (e *Error) Error() string { return "this is no manifest: " + e.Reason }

// VersionError says that a manifest has a form that is younger than this program.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the manifest has version %d; this livebuild knows up to %d", e.Version, Version)
}

// Read reads a manifest to the end of r. Errors of what it says are of type *Error or
// *VersionError.
func Read(r io.Reader) (*Manifest, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads a manifest, which need not be the bytes that Encode makes. Errors are of type
// *Error or *VersionError.
func Parse(text []byte) (*Manifest, error) {
	if len(text) > MaxSize {
		return nil, &Error{fmt.Sprintf("it has more than %d MiB", MaxSize>>20)}
	}
	if !utf8.Valid(text) {
		return nil, &Error{"it is no UTF-8"}
	}
	var head struct {
		Kind    string `json:"kind"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, &Error{err.Error()}
	}
	switch {
	case head.Kind != Kind:
		return nil, &Error{fmt.Sprintf("its kind is %.40q", head.Kind)}
	case head.Version > Version:
		return nil, &VersionError{head.Version}
	case head.Version < 1:
		return nil, &Error{fmt.Sprintf("its version is %d", head.Version)}
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(m); err != nil {
		return nil, &Error{err.Error()}
	}
	if err := m.check(); err != nil {
		return nil, &Error{err.Error()}
	}
	return m, nil
}

// check refuses what no image has. Texts end up on screens and in command lines.
func (m *Manifest) check() error {
	texts := []string{m.Tool.Name, m.Tool.Version, m.Default,
		m.Settings.VolumeID, m.Settings.Compression, m.Settings.Codec, m.Changes.VolumeID, m.Changes.Variant}
	texts = append(texts, m.Settings.Modes...)
	if m.Boot != nil {
		texts = append(append(texts, m.Boot.Kernel, m.Boot.CommandLine, m.Boot.Title), m.Boot.Initrds...)
		for _, name := range append([]string{m.Boot.Kernel}, m.Boot.Initrds...) {
			if name == "" || strings.ContainsAny(name, "/\\") || strings.HasPrefix(name, ".") {
				return fmt.Errorf("boot names the file %.40q", name)
			}
		}
	}
	texts = append(texts, m.Changes.KernelParams...)
	texts = append(texts, m.Changes.SSHKeys...)
	texts = append(texts, m.Changes.StaticIPs...)
	for _, module := range m.Changes.Modules {
		texts = append(texts, module.Name, module.SHA256)
	}
	var files []string
	for _, c := range m.Configurations() {
		named, err := c.Flake.texts()
		if err != nil {
			return err
		}
		texts = append(append(texts, c.Name, c.Platform, c.BuildPlatform, c.Label, c.Release), named...)
		files = append(files, c.Toplevel, c.Kernel, c.Initrd)
		for _, s := range c.Systems {
			texts = append(texts, s.Path...)
			files = append(files, s.Toplevel, s.Kernel, s.Initrd)
		}
	}
	for _, text := range texts {
		if strings.IndexFunc(text, unicode.IsControl) >= 0 {
			return fmt.Errorf("%.80q has a control character", text)
		}
	}
	for _, file := range append(files, m.Roots...) {
		if file != "" && !isFile(file) {
			return fmt.Errorf("%.80q is no file of a store", file)
		}
	}
	return m.checkStorePaths()
}

// texts are those of a flake, which may be nil.
func (f *Flake) texts() ([]string, error) {
	if f == nil {
		return nil, nil
	}
	texts, sources := []string{f.Attribute}, []Source{f.Source}
	for _, input := range f.Inputs {
		texts, sources = append(texts, input.Name), append(sources, input.Source)
	}
	for _, s := range sources {
		if strings.HasPrefix(s.Reference, "-") {
			return nil, fmt.Errorf("the reference %.80q begins with -", s.Reference)
		}
		texts = append(texts, s.Reference, s.Revision, s.NarHash, s.Folder)
	}
	return texts, nil
}

// isFile reports whether text is an absolute path that joins to no other place.
func isFile(text string) bool {
	return len(text) < 4096 && strings.HasPrefix(text, "/") && path.Clean(text) == text && text != "/" &&
		strings.IndexFunc(text, unicode.IsControl) < 0
}

func (m *Manifest) checkStorePaths() error {
	last := ""
	for _, p := range m.StorePaths {
		base := path.Base(p.Path)
		switch {
		case !isFile(p.Path):
			return fmt.Errorf("%.80q is no store path", p.Path)
		case base <= last:
			return fmt.Errorf("the store path %.80q is not in order", p.Path)
		case p.NarSize < 0:
			return fmt.Errorf("%s has the size %d", p.Path, p.NarSize)
		}
		if _, err := p.Hash(); err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
		last = base
	}
	return nil
}

var errHash = errors.New("its hash is no SHA-256")

// Hash returns the NAR hash.
func (p StorePath) Hash() (hash [32]byte, err error) {
	digits, ok := strings.CutPrefix(p.NarHash, hashPrefix)
	if !ok || len(digits) != base64.StdEncoding.EncodedLen(len(hash)) {
		return hash, errHash
	}
	b, err := base64.StdEncoding.Strict().DecodeString(digits)
	if err != nil || len(b) != len(hash) {
		return hash, errHash
	}
	return [32]byte(b), nil
}
