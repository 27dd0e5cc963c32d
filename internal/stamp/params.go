package stamp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
)

// Words for the command lines of kernels lie in two places beside the area: a block of GRUB's
// environment, and gaps in the menu of isolinux, which has no variables. See medium.StampParams.

// NoParamsError says that the menus of an image take no words for the kernel's command line.
type NoParamsError struct{ Name string } // of the image

func (e *NoParamsError) Error() string {
	return e.Name + " has no room for kernel parameters in its boot menus"
}

// ParamsError says that the command line of a kernel would be cut off.
type ParamsError struct{ Size, Room int } // bytes

func (e *ParamsError) Error() string {
	return fmt.Sprintf("the kernel parameters have %d bytes, and the longest command line of the image has room for %d", e.Size, e.Room)
}

// params is where an image takes words for command lines.
type params struct {
	block Patch   // of GRUB's environment, as it is
	gaps  []Patch // in the menu of isolinux, as they are
	room  int     // bytes
}

// isolinuxMenu is the menu with gaps, and maxMenu bounds it, in bytes.
const (
	isolinuxMenu = "isolinux/isolinux.cfg"
	maxMenu      = 16 << 20
)

// findParams returns nil if an image takes no words. The error is an *UnknownError if they lie otherwise than
// livebuild lays them.
func findParams(m *medium.Medium) (*params, error) {
	block, err := readPlace(m, medium.StampParams)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	menu, err := readPlace(m, isolinuxMenu)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without BIOS there is none
		return nil, err
	}
	return newParams(block, menu)
}

// newParams finds the gaps of a menu, which may be empty.
func newParams(block, menu Patch) (*params, error) {
	p := &params{block: block}
	var err error
	if p.room, err = strconv.Atoi(variable(block.Data, medium.RoomVariable)); err != nil || p.room < 0 || p.room > medium.MaxParams {
		return nil, &UnknownError{"/" + block.Name + " does not say how much room there is"}
	}
	if len(block.Data) != len(medium.EnvironmentOf("", p.room)) {
		return nil, &UnknownError{fmt.Sprintf("/%s has %d bytes", block.Name, len(block.Data))}
	}
	for at := 0; ; {
		i := bytes.Index(menu.Data[at:], []byte(medium.ParamsMark))
		if i < 0 {
			return p, nil
		}
		start := at + i - medium.ParamsGap
		if start < at {
			return nil, &UnknownError{"a gap in /" + menu.Name + " begins before its entry"}
		}
		p.gaps = append(p.gaps, Patch{Name: menu.Name, Offset: menu.Offset + int64(start), Data: menu.Data[start : at+i]})
		at += i + len(medium.ParamsMark)
	}
}

// readPlace reads a file that has to be in one piece.
func readPlace(m *medium.Medium, name string) (Patch, error) {
	f, err := m.Files().Find(name)
	if err != nil {
		return Patch{}, err
	}
	if len(f.Extents) != 1 || f.Size > maxMenu || f.Extents[0].Offset+f.Size > m.Size {
		return Patch{}, &UnknownError{fmt.Sprintf("/%s has %d bytes in %d pieces", name, f.Size, len(f.Extents))}
	}
	data := make([]byte, f.Size)
	if _, err := io.ReadFull(io.NewSectionReader(m.ReaderAt(), f.Extents[0].Offset, f.Size), data); err != nil {
		return Patch{}, fmt.Errorf("reading /%s: %w", name, err)
	}
	return Patch{Name: name, Offset: f.Extents[0].Offset, Data: data}, nil
}

// variable is the value of one in a block of GRUB's environment; those that livebuild writes have no escapes.
func variable(block []byte, name string) string {
	for line := range strings.Lines(string(block)) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}

// with are the places with other words in them.
func (p *params) with(words string) []Patch {
	all := []Patch{{Name: p.block.Name, Offset: p.block.Offset, Data: medium.EnvironmentOf(words, p.room)}}
	for _, gap := range p.gaps {
		all = append(all, Patch{Name: gap.Name, Offset: gap.Offset, Data: medium.GapOf(words)})
	}
	return all
}

// check refuses places that do not hold the words. The error is an *UnknownError.
func (p *params) check(words string) error {
	wanted := p.with(words)
	for i, place := range append([]Patch{p.block}, p.gaps...) {
		if !bytes.Equal(place.Data, wanted[i].Data) {
			return &UnknownError{"the kernel parameters in /" + place.Name + " are not those that it lists"}
		}
	}
	return nil
}

// wrongParam says why a word cannot be stamped onto a command line: GRUB puts backslashes before quotes and looks for
// the files that a pattern means, and isolinux takes an initrd for one that it is to load.
func wrongParam(word string) string {
	switch {
	case word == "" || strings.IndexFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		return "is no word of ASCII"
	case strings.ContainsAny(word, `"'\`):
		return "has a quotation mark or a backslash, which GRUB changes"
	case strings.ContainsAny(word, "*?["):
		return "has one of *, ? and [, which GRUB takes for the names of files"
	case strings.HasPrefix(word, "initrd="):
		return "is what loaders say themselves"
	}
	return ""
}
