package image

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/manifest"
)

// Beside is a file that goes with an image, and has its name and a suffix.
type Beside struct {
	Suffix string
	Data   []byte
}

// The suffixes of files beside an image.
const (
	ChecksumSuffix  = ".sha256"
	ManifestSuffix  = ".manifest.json"
	SPDXSuffix      = ".spdx.json"
	CycloneDXSuffix = ".cdx.json"
	MinisignSuffix  = ".minisig"
	SignatureSuffix = ".sig" // of signify and of ssh-keygen
)

// companion is a kind of file beside an image, and what tells it from files of others.
type companion struct {
	suffix string
	known  *regexp.Regexp // matches near its beginning
}

var companions = []companion{
	{ChecksumSuffix, regexp.MustCompile(`\b[0-9a-fA-F]{64}\b`)},
	{ManifestSuffix, regexp.MustCompile(regexp.QuoteMeta(manifest.Kind))},
	{SPDXSuffix, regexp.MustCompile(`"spdxVersion"`)},
	{CycloneDXSuffix, regexp.MustCompile(`"bomFormat"`)},
	{MinisignSuffix, regexp.MustCompile(`^untrusted comment: `)},
	{SignatureSuffix, regexp.MustCompile(`^(untrusted comment: |-----BEGIN SSH SIGNATURE-----)`)},
}

// companionHead is as much as is read of a file to know what it is, in bytes.
const companionHead = 4 << 10

// is reports whether a file is of this kind. One that is not there is not.
func (c companion) is(path string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, companionHead))
	return c.known.Match(head), err
}

// Checksum is the file with the SHA-256 of the image, in hexadecimal digits, as sha256sum(1) prints
// and checks it.
func (o *Output) Checksum(sum string) Beside {
	return Beside{ChecksumSuffix, []byte(imagefile.SumLine(sum, filepath.Base(o.path)))}
}

// BesidePath is where a file beside the image will be.
func (o *Output) BesidePath(suffix string) string { return o.path + suffix }

// CheckBeside finds out early whether files with these suffixes can be put beside the image: what is
// there must be of that kind unless force is set, else the error is an *OccupiedError; it is a
// *PlaceError if something there is no file.
func (o *Output) CheckBeside(suffixes []string, force bool) error {
	for _, c := range companions {
		if !slices.Contains(suffixes, c.suffix) {
			continue
		}
		path := o.BesidePath(c.suffix)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return &PlaceError{path, "is not a regular file"}
		case force:
			continue
		}
		ours, err := c.is(path)
		if err != nil {
			return err
		}
		if !ours {
			return &OccupiedError{path, "the " + c.suffix + " of an image"}
		}
	}
	return nil
}

// put is a file beside the image that is written, and not in its place yet.
type put struct{ temporary, path string }

// writeBeside writes files beside the image under temporary names, and makes them last. On an error
// nothing is left of them.
func (o *Output) writeBeside(files []Beside) (written []put, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(written))
			written = nil
		}
	}()
	for _, b := range files {
		var f *os.File
		name, err := claimName(filepath.Dir(o.path), func(name string) error {
			var err error
			f, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
			return err
		})
		if err != nil {
			return written, err
		}
		written = append(written, put{name, o.BesidePath(b.Suffix)})
		_, err = io.Copy(f, bytes.NewReader(b.Data))
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return written, err
		}
	}
	return written, nil
}

func discard(written []put) error {
	var all []error
	for _, p := range written {
		if err := os.Remove(p.temporary); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// removeStale removes what is about the image that was here: it would say of the new one what is not
// true.
func (o *Output) removeStale() error {
	return removeBeside(o.path, func(string) bool { return true })
}

// RemoveSums removes checksum and signatures beside an image of which some bytes are about to be changed
// in place, but not what says what it is made of.
func RemoveSums(path string) error {
	return removeBeside(path, func(suffix string) bool {
		return slices.Contains([]string{ChecksumSuffix, MinisignSuffix, SignatureSuffix}, suffix)
	})
}

// removeBeside removes files beside an image, and makes that last. Files that are not what their names
// say stay.
func removeBeside(image string, which func(suffix string) bool) error {
	removed := false
	for _, c := range companions {
		if !which(c.suffix) {
			continue
		}
		path := image + c.suffix
		stale, err := c.is(path)
		if err != nil {
			return err
		}
		if !stale {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return syncFolder(filepath.Dir(image))
}
