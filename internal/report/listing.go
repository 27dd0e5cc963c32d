package report

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/human"
)

// Listing takes files of an image as they are found, and writes them: an image may hold
// millions.
type Listing interface {
	File(f contents.File, name string) error // called name where people read it
	Folder(dir contents.File) error          // what follows is in there
	End() error
}

// NewListing returns a Listing as JSON, an array, or as text, in which long says all of a file.
func NewListing(out io.Writer, asJSON, long bool) Listing {
	if asJSON {
		return &listingJSON{out: out}
	}
	return &listingText{out: out, long: long}
}

// listingText lists for people.
type listingText struct {
	out   io.Writer
	long  bool
	lines int
}

func (l *listingText) Folder(dir contents.File) error {
	space := "\n"
	if l.lines == 0 {
		space = ""
	}
	l.lines++
	_, err := fmt.Fprintf(l.out, "%s%s:\n", space, shown(dir.Path))
	return err
}

func (l *listingText) File(f contents.File, name string) error {
	l.lines++
	line := shown(name)
	if l.long {
		size := strconv.FormatInt(f.Size, 10)
		if f.Mode&fs.ModeDevice != 0 {
			size = fmt.Sprintf("%d, %d", f.Major, f.Minor)
		}
		line = fmt.Sprintf("%s %5d %5d %12s %s %s", modeText(f.Mode), f.UID, f.GID, size, dateText(f.ModTime), line)
		if f.Mode&fs.ModeSymlink != 0 {
			line += " -> " + shown(f.Target)
		}
		xattrs, err := f.Xattrs()
		if err != nil {
			return err
		}
		for _, x := range xattrs {
			line += fmt.Sprintf("\n    %s=%s", shown(x.Name), strconv.Quote(string(x.Value)))
		}
	}
	_, err := fmt.Fprintln(l.out, line)
	return err
}

func (l *listingText) End() error { return nil }

// shown is a name of an image as it is printed: one that could do something to a terminal, or
// is no UTF-8, is quoted.
func shown(name string) string { return human.Printable(name) }

func dateText(t time.Time) string {
	if t.IsZero() {
		return "-               "
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// modeText is a mode as ls(1) prints it.
func modeText(mode fs.FileMode) string {
	kind := byte('?')
	switch mode.Type() {
	case 0:
		kind = '-'
	case fs.ModeDir:
		kind = 'd'
	case fs.ModeSymlink:
		kind = 'l'
	case fs.ModeDevice:
		kind = 'b'
	case fs.ModeDevice | fs.ModeCharDevice:
		kind = 'c'
	case fs.ModeNamedPipe:
		kind = 'p'
	case fs.ModeSocket:
		kind = 's'
	}
	text := []byte(mode.Perm().String())
	text[0] = kind
	for _, bit := range []struct {
		mode fs.FileMode
		at   int
		char byte
	}{{fs.ModeSetuid, 3, 's'}, {fs.ModeSetgid, 6, 's'}, {fs.ModeSticky, 9, 't'}} {
		if mode&bit.mode == 0 {
			continue
		}
		if text[bit.at] == '-' {
			bit.char -= 'a' - 'A' // without the right to execute
		}
		text[bit.at] = bit.char
	}
	return string(text)
}

// listingJSON lists as an array of objects.
type listingJSON struct {
	out   io.Writer
	files int
}

// fileJSON is a file as --json prints it.
type fileJSON struct {
	Path   string            `json:"path"`
	Type   string            `json:"type"` // "file", "folder", "link", "block-device", "char-device", "pipe" or "socket"
	Size   int64             `json:"size"` // bytes
	Mode   string            `json:"mode"` // permissions in octal
	UID    uint32            `json:"uid"`
	GID    uint32            `json:"gid"`
	Time   *int64            `json:"time"` // seconds since 1970; null: not recorded
	Target string            `json:"target,omitempty"`
	Device []uint32          `json:"device,omitempty"` // major and minor
	Xattrs map[string][]byte `json:"xattrs,omitempty"` // in base 64
}

var fileTypes = map[byte]string{'-': "file", 'd': "folder", 'l': "link", 'b': "block-device", 'c': "char-device", 'p': "pipe", 's': "socket"}

// unixMode are the permissions as chmod(2) takes them.
func unixMode(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for i, special := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if mode&special != 0 {
			bits |= 0o1000 << i
		}
	}
	return bits
}

func (l *listingJSON) File(f contents.File, _ string) error {
	j := fileJSON{
		Path: f.Path, Type: fileTypes[modeText(f.Mode)[0]], Size: f.Size, Mode: fmt.Sprintf("%04o", unixMode(f.Mode)),
		UID: f.UID, GID: f.GID, Target: f.Target,
	}
	if !f.ModTime.IsZero() {
		seconds := f.ModTime.Unix()
		j.Time = &seconds
	}
	if f.Mode&fs.ModeDevice != 0 {
		j.Device = []uint32{f.Major, f.Minor}
	}
	xattrs, err := f.Xattrs()
	if err != nil {
		return err
	}
	for _, x := range xattrs {
		if j.Xattrs == nil {
			j.Xattrs = map[string][]byte{}
		}
		j.Xattrs[x.Name] = x.Value
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(j); err != nil {
		return err
	}
	separator := ",\n  "
	if l.files == 0 {
		separator = "[\n  "
	}
	l.files++
	_, err = io.WriteString(l.out, separator+strings.TrimSuffix(b.String(), "\n"))
	return err
}

func (l *listingJSON) Folder(contents.File) error { return nil }

func (l *listingJSON) End() error {
	text := "\n]\n"
	if l.files == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(l.out, text)
	return err
}

// Extraction is what was taken out of an image, and where to.
type Extraction struct {
	Folder string `json:"folder"`
	contents.Extraction
}

// Text is a line.
func (r Extraction) Text(w io.Writer) error {
	left := ""
	if r.LeftOut > 0 {
		left = fmt.Sprintf(", %d left out", r.LeftOut)
	}
	_, err := fmt.Fprintf(w, "%s: %s, %s, %s, %s%s\n", r.Folder, human.Count(r.Files, "file"), human.Count(r.Folders, "folder"),
		human.Count(r.Links, "symbolic link"), human.Size(r.Bytes), left)
	return err
}
