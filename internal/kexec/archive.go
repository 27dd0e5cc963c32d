package kexec

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"path"
	"time"
)

// block is of what the size of everything in a tar is a multiple, in bytes (pax(1), ustar).
const block = 512

// unit is of what the place of the initrd is a multiple, in bytes: the store in it then lies as it does in
// an initrd alone, and file systems share it.
const unit = 4096

// Member is a file of the archive before the initrd. All belongs to root.
type Member struct {
	Name string // below Folder
	Mode int64  // permissions
	Size int64  // bytes; of Data, if that is not nil
	Data []byte
	Copy func(io.WriterAt) error // writes that many, if Data is nil
}

// Writer is what an archive is written to, and its sums read back from.
type Writer interface {
	io.WriterAt
	io.ReaderAt
}

// Archive is one that is written, with its initrd last, whose size is known only when it is there.
type Archive struct {
	w      Writer
	date   time.Time
	end    int64            // of what is written
	places map[string]int64 // of files' content
	names  []string         // of the files, in order
	sizes  map[string]int64
}

// NewArchive begins an archive.
func NewArchive(w Writer, date time.Time) (*Archive, error) {
	a := &Archive{w: w, date: date, places: map[string]int64{}, sizes: map[string]int64{}}
	return a, a.header(tar.Header{Typeflag: tar.TypeDir, Name: Folder + "/", Mode: 0o755})
}

// header writes the header of a member behind what there is.
func (a *Archive) header(h tar.Header) error {
	h.Format, h.ModTime, h.Uname, h.Gname = tar.FormatUSTAR, a.date, "root", "root"
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&h); err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	_, err := a.w.WriteAt(b.Bytes(), a.end)
	a.end += int64(b.Len())
	return err
}

// Add writes a member.
func (a *Archive) Add(m Member) error {
	if m.Data != nil {
		m.Size = int64(len(m.Data))
		m.Copy = func(w io.WriterAt) error {
			_, err := w.WriteAt(m.Data, 0)
			return err
		}
	}
	if err := a.header(tar.Header{Name: path.Join(Folder, m.Name), Mode: m.Mode, Size: m.Size}); err != nil {
		return err
	}
	a.places[m.Name], a.sizes[m.Name] = a.end, m.Size
	a.names = append(a.names, m.Name)
	if err := m.Copy(Behind{a.w, a.end}); err != nil {
		return err
	}
	return a.pad(m.Size)
}

// pad ends a content of so many bytes.
func (a *Archive) pad(size int64) error {
	a.end += size
	rest := (block - size%block) % block
	_, err := a.w.WriteAt(make([]byte, rest), a.end)
	a.end += rest
	return err
}

// AddSums writes the list of the SHA-256 of all that was added, as sha256sum has it. That of the script Finish puts in.
func (a *Archive) AddSums() error {
	text, err := a.listed()
	if err != nil {
		return err
	}
	return a.Add(Member{Name: Sums, Mode: 0o644, Data: text})
}

// listed is that list, of the files in front of it.
func (a *Archive) listed() ([]byte, error) {
	var b bytes.Buffer
	for _, name := range a.names {
		if name == Sums {
			break
		}
		h := sha256.New()
		if _, err := io.CopyBuffer(h, struct{ io.Reader }{io.NewSectionReader(a.w, a.places[name], a.sizes[name])}, make([]byte, 1<<20)); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%x  %s\n", h.Sum(nil), name)
	}
	return b.Bytes(), nil
}

// AddManifest writes the manifest, the last member before the initrd, and fills it up with the white space that JSON
// allows, so that the initrd begins at a multiple of 4 KiB.
func (a *Archive) AddManifest(text []byte) error {
	begins := a.end + block + int64(len(text)) + block // of the initrd, if a header of its own follows
	fill := (unit - begins%unit) % unit
	return a.Add(Member{Name: Manifest, Mode: 0o644, Data: append(bytes.Clone(text), bytes.Repeat([]byte(" "), int(fill))...)})
}

// Initrd is where the initrd goes, behind its header, which Finish writes.
func (a *Archive) Initrd() Behind { return Behind{a.w, a.end + block} }

// Finish writes what is around an initrd of so many bytes, and the script, which knows that now and has the size that it
// had before. It returns where the archive ends.
func (a *Archive) Finish(script []byte, initrdSize int64) (end int64, err error) {
	if err := a.header(tar.Header{Name: path.Join(Folder, Initrd), Mode: 0o644, Size: initrdSize}); err != nil {
		return 0, err
	}
	if err := a.pad(initrdSize); err != nil {
		return 0, err
	}
	if int64(len(script)) != a.sizes[Run] {
		return 0, fmt.Errorf("the script has %d bytes, and had %d", len(script), a.sizes[Run])
	}
	if _, err := a.w.WriteAt(script, a.places[Run]); err != nil {
		return 0, err
	}
	if at, ok := a.places[Sums]; ok {
		text, err := a.listed()
		if err != nil {
			return 0, err
		}
		if _, err := a.w.WriteAt(text, at); err != nil {
			return 0, err
		}
	}
	_, err = a.w.WriteAt(make([]byte, 2*block), a.end)
	return a.end + 2*block, err
}

// Behind writes to what begins at an offset of a file.
type Behind struct {
	W      io.WriterAt
	Offset int64
}

// WriteAt writes.
func (b Behind) WriteAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset > math.MaxInt64-b.Offset {
		return 0, fmt.Errorf("writing at %d of what begins at %d", offset, b.Offset)
	}
	return b.W.WriteAt(p, b.Offset+offset)
}

// Outer returns the file, into which the kernel may be able to copy.
func (b Behind) Outer() (w io.WriterAt, offset int64) { return b.W, b.Offset }
