package stamp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
)

// Area is the room for a stamp in an image.
type Area struct {
	Offset, Size int64 // bytes of the medium
	r            io.ReaderAt
	params       *params // for command lines of kernels; nil without
	name         string  // of the image
}

// Patch is what a part of a medium holds, or shall hold.
type Patch struct {
	Name   string // of the file that it is in
	Offset int64  // on the medium, in bytes
	Data   []byte
}

// NoAreaError says that an image cannot be stamped.
type NoAreaError struct {
	Name     string // of the image
	MadeHere bool   // by livebuild
}

func (e *NoAreaError) Error() string {
	if e.MadeHere {
		return e.Name + " has no room for a stamp: it was made without"
	}
	return e.Name + " has no room for a stamp: it was not made by livebuild"
}

// Find returns the area of an image, called name in errors, which are of type *NoAreaError and
// *UnknownError.
func Find(m *medium.Medium, name string) (Area, error) {
	f, err := m.Files().Find(medium.StampArea)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Area{}, &NoAreaError{Name: name, MadeHere: m.MadeHere()}
	case err != nil:
		return Area{}, err
	case len(f.Extents) != 1 || f.Size < MinArea || f.Size > MaxArea || f.Extents[0].Offset+f.Size > m.Size:
		return Area{}, &UnknownError{fmt.Sprintf("/%s has %d bytes in %d pieces", medium.StampArea, f.Size, len(f.Extents))}
	}
	p, err := findParams(m)
	if err != nil {
		return Area{}, err
	}
	return Area{f.Extents[0].Offset, f.Size, m.ReaderAt(), p, name}, nil
}

// Bytes returns what the area holds.
func (a Area) Bytes() ([]byte, error) {
	b := make([]byte, a.Size)
	if n, err := a.r.ReadAt(b, a.Offset); n < len(b) {
		return nil, fmt.Errorf("reading the stamp: %w", err)
	}
	return b, nil
}

// Read returns the stamp of the image, or nil if there is none; see [Decode].
func (a Area) Read() (*Stamp, error) {
	b, err := a.Bytes()
	if err != nil {
		return nil, err
	}
	s, err := Decode(b)
	if err == nil && a.params != nil {
		err = a.params.check(s.params())
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Put returns what a stamp of the items changes; the area comes first. Errors are of type *TooLargeError,
// *NoParamsError and *ParamsError.
func (a Area) Put(items Items, tool string) ([]Patch, error) {
	words := strings.Join(items.KernelParams, " ")
	switch {
	case a.params == nil && words != "":
		return nil, &NoParamsError{a.name}
	case a.params != nil && len(words) > a.params.room:
		return nil, &ParamsError{len(words), a.params.room}
	}
	data, err := Encode(items, tool, a.Size)
	if err != nil {
		return nil, err
	}
	return a.patches(data, words), nil
}

// Clear returns what gives the image back the bytes that it was built with.
func (a Area) Clear() []Patch { return a.patches(make([]byte, a.Size), "") }

func (a Area) patches(data []byte, words string) []Patch {
	all := []Patch{{medium.StampArea, a.Offset, data}}
	if a.params != nil {
		all = append(all, a.params.with(words)...)
	}
	return all
}

// UselessError says that the system of an image does nothing with an item.
type UselessError struct {
	What    string // "SSH key"
	Missing string // what the system lacks
}

func (e *UselessError) Error() string {
	return fmt.Sprintf("the system of the image has no %s, so that %s would do nothing", e.Missing, e.What)
}

// CheckSystem finds out whether the system of an image can do something with the items: NixOS has
// a store path "unit-NAME" for each unit. What cannot be found out is believed. The error is a
// *UselessError.
func CheckSystem(m *medium.Medium, items Items) error {
	image, err := m.Store()
	if err != nil {
		return nil
	}
	registered, err := image.Registration()
	if err != nil {
		return nil
	}
	has := func(names ...string) bool {
		for _, info := range registered.Paths {
			for _, name := range names {
				if strings.HasSuffix(info.Path, "-unit-"+name) {
					return true
				}
			}
		}
		return false
	}
	switch {
	case len(items.SSHKeys) > 0 && !has("sshd.service", "sshd.socket", "sshd-.service", "sshd@.service"):
		return &UselessError{"an SSH key", "SSH server"}
	case len(items.Wifi) > 0 && !has("NetworkManager.service", "iwd.service", "wpa_supplicant.service"):
		return &UselessError{"a wireless network", "NetworkManager, iwd or wpa_supplicant"}
	}
	return nil
}
