package image

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Catalog remembers the images that were built on this machine: where they
// are, and the sums that identify their contents. It is a file in the user's
// cache folder, and nothing is lost with it but time.
type Catalog struct {
	path   string
	images []catalogued // the newest last
}

// catalogued is an image as the file has it.
type catalogued struct {
	Path    string `json:"path"`
	Sum     string `json:"sum"` // of the squashfs, squashfs.Summary.Sum in hex; empty of one from elsewhere
	Encoder string `json:"encoder"`
	File    string `json:"file,omitempty"` // identityOf it when the image was there
}

// catalogMax is how many images are remembered.
const catalogMax = 32

// OpenCatalog reads the catalog in livebuild's cache folder. One that is missing or
// damaged is empty.
func OpenCatalog(cache string) *Catalog {
	c := &Catalog{path: filepath.Join(cache, "images.json")}
	c.read()
	return c
}

func (c *Catalog) read() {
	c.images = nil
	text, err := os.ReadFile(c.path)
	if err != nil || json.Unmarshal(text, &c.images) != nil {
		c.images = nil
	}
}

// Has says whether an image with this sum was built here.
func (c *Catalog) Has(sum [32]byte) bool {
	for _, image := range c.images {
		if image.Sum == hex.EncodeToString(sum[:]) {
			return true
		}
	}
	return false
}

// written returns the sum of the image that was written here into a file which is as it was since.
func (c *Catalog) written(identity string) (sum [32]byte, ok bool) {
	if c == nil || identity == "" {
		return sum, false
	}
	for _, image := range slices.Backward(c.images) {
		if image.File == identity {
			p, err := hex.DecodeString(image.Sum)
			return sum, err == nil && copy(sum[:], p) == len(p) && len(p) == len(sum)
		}
	}
	return sum, false
}

// Paths returns where images whose store was packed in the same way are or were, the newest
// first.
func (c *Catalog) Paths(s *Store) []string {
	if s.err != nil {
		return nil
	}
	var paths []string
	for i := len(c.images) - 1; i >= 0; i-- {
		if c.images[i].Encoder == s.codec.Identity() {
			paths = append(paths, c.images[i].Path)
		}
	}
	return paths
}

// All returns where all images are or were, the newest first.
func (c *Catalog) All() []string {
	var paths []string
	for _, image := range slices.Backward(c.images) {
		paths = append(paths, image.Path)
	}
	return paths
}

// Add remembers the image at path, and forgets an earlier one there and those
// that are gone.
func (c *Catalog) Add(path string, s *Store, packed squashfs.Summary) error {
	if s.err != nil {
		return s.err
	}
	image := catalogued{Path: path, Sum: hex.EncodeToString(packed.Sum[:]), Encoder: s.codec.Identity()}
	if info, err := os.Stat(path); err == nil { // in parts, no file has that name
		image.File = identityOf(info)
	}
	return c.add(image)
}

// AddForeign remembers an image of which it is not known that it is what it says: pieces that have
// sums of their own can be taken from it.
func (c *Catalog) AddForeign(path string) error { return c.add(catalogued{Path: path}) }

func (c *Catalog) add(newest catalogued) (err error) {
	newest.Path, err = filepath.Abs(newest.Path)
	if err != nil {
		return err
	}
	c.read() // others may have added theirs
	images := []catalogued{}
	for _, image := range c.images {
		if _, err := os.Stat(image.Path); image.Path != newest.Path && !errors.Is(err, fs.ErrNotExist) {
			images = append(images, image)
		}
	}
	images = append(images, newest)
	c.images = images[max(0, len(images)-catalogMax):]
	if err := c.write(); err != nil {
		return fmt.Errorf("remembering the image: %w", err)
	}
	return nil
}

// write replaces the file at once: others may read it.
func (c *Catalog) write() (err error) {
	text, err := json.MarshalIndent(c.images, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Dir(c.path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, "images-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(append(text, '\n')); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.path)
}
