// Package stamp is what is put onto a finished image without building it again: keys, a
// host name, addresses, files, a script.
//
// An image has an area for it, a file that every entry of its menus loads as the last
// initrd. Zeros are no archive; otherwise it is one in the format of Linux's initrds, and
// stage 1 copies what lies below /.initrd-secrets to where the live system has it, as it
// does for boot.initrd.secrets. That is a unit with a script, which brings along how each
// item is done; so an older image can be stamped by a newer livebuild. Zeros again, and the
// image has the bytes that it was built with.
package stamp

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/livebuild/livebuild/pkg/cpio"
)

// MinArea and MaxArea bound an area, in bytes: one has room for a stamp, and is read whole.
const (
	MinArea = 4 << 10
	MaxArea = 64 << 20
)

// Stamp is what an area says.
type Stamp struct {
	Version int     `json:"version"` // of the form; 1
	Tool    string  `json:"tool"`    // that wrote it: "livebuild 1.2"
	Items   []Entry `json:"items"`
	// Payload is the SHA-256 of the members behind this one, in hexadecimal digits.
	Payload string `json:"payload"`
}

// Entry is an item as a stamp shows it, without what is secret.
type Entry struct {
	Kind   string `json:"kind"`             // "host name", "SSH key", …
	Text   string `json:"text"`             // what it is, for people
	Secret bool   `json:"secret,omitempty"` // the stamp has more than the text tells
}

// version is that of the form.
const version = 1

// manifest is the first member: the Stamp as JSON.
const manifest = ".livebuild-stamp"

// Where stage 1 copies from, and where what it copies lands.
const (
	secrets = ".initrd-secrets"
	folder  = "run/livebuild/stamp"
	units   = "run/systemd/system"
)

// TooLargeError says that an area has no room for a stamp.
type TooLargeError struct{ Size, Room int64 } // bytes

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the stamp has %d bytes, and the image has room for %d", e.Size, e.Room)
}

// Archive returns a stamp of the items as an initrd of its own, for systems that are loaded without a
// medium. Equal items make equal bytes.
func Archive(items Items, tool string) ([]byte, error) {
	files := items.files()
	s := Stamp{Version: version, Tool: tool, Items: items.entries(), Payload: digest(files)}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	own := cpio.Member{Name: manifest, Mode: cpio.ModeRegular | 0o400, Data: text}
	return cpio.Archive(cpio.WithFolders(append([]cpio.Member{own}, files...))), nil
}

// Encode returns the bytes of an area of that size with a stamp of the items. Equal items
// make equal bytes. The error is a *TooLargeError if they do not fit.
func Encode(items Items, tool string, size int64) ([]byte, error) {
	data, err := Archive(items, tool)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > size {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		if _, err := z.Write(data); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		data = b.Bytes()
	}
	if int64(len(data)) > size {
		return nil, &TooLargeError{Size: int64(len(data)), Room: size}
	}
	return append(data, make([]byte, size-int64(len(data)))...), nil
}

// digest is the SHA-256 of members.
func digest(files []cpio.Member) string {
	h := sha256.New()
	for _, f := range files {
		if f.Mode&cpio.ModeKind == cpio.ModeRegular {
			fmt.Fprintf(h, "%s\x00%o %d\n", f.Name, f.Mode, len(f.Data))
			h.Write(f.Data)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// UnknownError says that an area holds something that is no stamp, or one that is damaged.
type UnknownError struct{ Reason string }

func (e *UnknownError) Error() string { return "the stamp of the image is damaged: " + e.Reason }

// maxUnpacked bounds what a compressed stamp unpacks to, in bytes.
const maxUnpacked = 256 << 20

// Decode reads an area. It returns nil if there is no stamp, and an *UnknownError if there is
// something else.
func Decode(area []byte) (*Stamp, error) {
	if len(bytes.Trim(area, "\x00")) == 0 {
		return nil, nil
	}
	unknown := func(format string, args ...any) (*Stamp, error) {
		return nil, &UnknownError{fmt.Sprintf(format, args...)}
	}
	data := area
	if bytes.HasPrefix(area, []byte{0x1f, 0x8b}) {
		var err error
		if data, err = unpack(area); err != nil {
			return unknown("%v", err)
		}
	}
	members, err := cpio.Read(data)
	switch {
	case err != nil:
		return unknown("%v", err)
	case len(members) == 0 || members[0].Name != manifest:
		return unknown("it does not begin with %s", manifest)
	}
	var s Stamp
	if err := json.Unmarshal(members[0].Data, &s); err != nil {
		return unknown("%s: %v", manifest, err)
	}
	switch {
	case s.Version != version:
		return unknown("it is of version %d, and this livebuild knows version %d", s.Version, version)
	case digest(members[1:]) != s.Payload:
		return unknown("its files are not those that it lists")
	}
	return &s, nil
}

// unpack returns the gzip member that an area begins with.
func unpack(area []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(area))
	if err != nil {
		return nil, err
	}
	z.Multistream(false) // behind it are zeros
	data, err := io.ReadAll(io.LimitReader(z, maxUnpacked+1))
	if err == nil && len(data) > maxUnpacked {
		err = errors.New("it unpacks to too much")
	}
	return data, errors.Join(err, z.Close())
}

// secret is a member that stage 1 copies to a path of the live system.
func secret(file string, mode uint32, data []byte) cpio.Member {
	return cpio.Member{Name: path.Join(secrets, file), Mode: cpio.ModeRegular | mode, Data: data}
}

// params are the words that it lists for command lines; of no stamp there are none.
func (s *Stamp) params() string {
	if s != nil {
		for _, e := range s.Items {
			if e.Kind == paramsKind {
				return e.Text
			}
		}
	}
	return ""
}

// Text is the stamp in a line.
func (s *Stamp) Text() string {
	var kinds []string
	for _, e := range s.Items {
		kinds = append(kinds, e.Kind)
	}
	return strings.Join(kinds, ", ")
}
