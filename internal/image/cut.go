package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/medium"
)

// Part is a file of an image that is cut.
type Part struct {
	Path   string `json:"file"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// cut is what becomes of an output that appears in parts.
type cut struct {
	each  int64 // bytes of a part, but of the last
	parts []Part
	files []*Output // of the parts, from the second on
	sums  *Output
	whole string // SHA-256 of the image
}

// MaxParts is how many parts an image can have.
const MaxParts = 1000

// PartsError says that an image would have too many parts.
type PartsError struct{ Parts int64 }

func (e *PartsError) Error() string {
	return fmt.Sprintf("the image would have %d parts, and %d are the most", e.Parts, MaxParts)
}

// CreateCut begins a file as [CreateOutput] does, that is to appear in parts of so many bytes, by
// the names of [imagefile.PartName], with a file of their checksums and that of the whole. Until
// [Output.Cut] it is one file.
func CreateCut(path string, each int64, force bool) (*Output, error) {
	if err := checkCutReplaceable(path, force); err != nil {
		return nil, err
	}
	o, err := createFile(path)
	if err != nil {
		return nil, err
	}
	o.cut = &cut{each: each}
	return o, nil
}

// checkCutReplaceable says whether the parts and checksums of an image at path, as far as there
// are any, may be replaced: they must be ours.
func checkCutReplaceable(path string, force bool) error {
	old, err := earlierParts(path)
	if errors.Is(err, fs.ErrNotExist) { // of the folder, which is found out later
		return nil
	}
	if err != nil {
		return err
	}
	sums := imagefile.SumsName(path)
	for _, file := range append(slices.Clone(old), sums) {
		info, err := os.Lstat(file)
		switch {
		case file == sums && errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return &PlaceError{file, "is not a regular file"}
		}
	}
	if force {
		return nil
	}
	if len(old) > 0 {
		ours, err := medium.FileMadeHere(old[0])
		if err != nil {
			return err
		}
		if !ours {
			return &OccupiedError{Path: old[0]}
		}
	}
	only, err := imagefile.SumsOnlyOf(path)
	if err == nil && !only {
		err = &PlaceError{sums, "has checksums of other files"}
	}
	return err
}

// earlierParts lists what is there of parts of an image at path, in order.
func earlierParts(path string) ([]string, error) {
	folder, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(folder + "."))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), base+".part") && imagefile.WholeName(e.Name()) == base {
			names = append(names, folder+e.Name())
		}
	}
	return names, nil
}

// Place is where the image is, or will be: of one in parts the first, which stands for all.
func (o *Output) Place() string {
	if o.cut == nil {
		return o.path
	}
	return imagefile.PartName(o.path, 0, max(1, len(o.cut.parts)))
}

// Parts are the parts of an image that was cut, in order, and the file of their checksums.
func (o *Output) Parts() (parts []Part, checksums string) {
	if o.cut == nil {
		return nil, ""
	}
	return o.cut.parts, imagefile.SumsName(o.path)
}

// summer makes the checksums of parts while the whole is written to it.
type summer struct {
	each int64
	left int64 // of the part
	hash hash.Hash
	sums []string
}

func (s *summer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if s.left == 0 {
			s.next()
		}
		n := min(int64(len(rest)), s.left)
		s.hash.Write(rest[:n]) // never fails
		s.left -= n
		rest = rest[n:]
	}
	return len(p), nil
}

// next ends a part, and begins another.
func (s *summer) next() {
	if s.hash != nil {
		s.sums = append(s.sums, hex.EncodeToString(s.hash.Sum(nil)))
	}
	s.hash, s.left = sha256.New(), s.each
}

// plan decides what the parts of so many bytes are, which have those sums.
func (c *cut) plan(path string, size int64, whole string, sums []string) error {
	count := (size + c.each - 1) / c.each
	if count > MaxParts {
		return &PartsError{count}
	}
	c.whole, c.parts = whole, nil
	for i := range count {
		c.parts = append(c.parts, Part{
			Path:   imagefile.PartName(path, int(i), int(count)),
			Size:   min(c.each, size-i*c.each),
			SHA256: sums[i],
		})
	}
	return nil
}

// Cut brings a file that is synced, and is to appear in parts, into those. From the last on they
// are copied to files of their own and taken off, so that there is never more than one part twice
// on the disk; what is left is the first. Of other files it does nothing.
func (o *Output) Cut(ctx context.Context, progress func(done, total int64)) error {
	if o.cut == nil {
		return nil
	}
	c := o.cut
	total := int64(len(c.parts)-1) * c.each
	for i := len(c.parts) - 1; i > 0; i-- {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		part, err := createFile(c.parts[i].Path)
		if err != nil {
			return err
		}
		c.files = append(c.files, part)
		offset := int64(i) * c.each
		if _, err := o.file.Seek(offset, io.SeekStart); err != nil {
			return err
		}
		// By the kernel, which shares blocks where the file system can.
		if _, err := io.CopyN(part.file, o.file, c.parts[i].Size); err != nil {
			return err
		}
		if err := errors.Join(part.file.Sync(), o.file.Truncate(offset)); err != nil {
			return err
		}
		progress(int64(len(c.parts)-i)*c.each, total)
	}
	var err error
	if c.sums, err = createFile(imagefile.SumsName(o.path)); err != nil {
		return err
	}
	text := imagefile.SumLine(c.whole, filepath.Base(o.path))
	for _, part := range c.parts {
		text += imagefile.SumLine(part.SHA256, filepath.Base(part.Path))
	}
	_, err = io.WriteString(c.sums.file, text)
	return errors.Join(err, c.sums.file.Sync(), o.file.Sync())
}

// commitCut puts the parts in their places. The first part stands for the image: it goes first
// and comes last, so that there never is what looks like a whole image and is of two. Between,
// there is neither the earlier image nor the new one, for as long as some renames take.
func (o *Output) commitCut() (err error) {
	c := o.cut
	var placed []string
	defer func() {
		for _, file := range placed {
			if err != nil { // they are of no use without the first
				err = errors.Join(err, os.Remove(file))
			}
		}
	}()
	old, err := earlierParts(o.path)
	if err != nil {
		return err
	}
	first := *o
	first.path = c.parts[0].Path
	all := append(slices.Clone(c.files), c.sums, &first)
	for _, part := range all {
		if err := part.claim(); err != nil {
			o.temporary = first.temporary
			return err
		}
	}
	o.temporary = first.temporary
	folder := filepath.Dir(o.path)
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
		if file == old[0] {
			if err := syncFolder(folder); err != nil {
				return err
			}
		}
	}
	for _, part := range all {
		if part == &first {
			if err := syncFolder(folder); err != nil {
				return err
			}
		}
		if err := part.place(); err != nil {
			return err
		}
		placed = append(placed, part.path)
	}
	o.temporary, placed = "", nil
	return syncFolder(folder)
}

// abort removes what there is of parts that are not in their places.
func (c *cut) abort() error {
	var all []error
	for _, part := range c.files {
		all = append(all, part.Abort())
	}
	if c.sums != nil {
		all = append(all, c.sums.Abort())
	}
	return errors.Join(all...)
}
