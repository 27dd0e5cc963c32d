package hybridiso

import (
	"fmt"
	"io"
	"math"
)

// ReadTree returns the entries of the primary hierarchy, parents before what
// is in them, in the order of their records. Names and modes are those of Rock
// Ridge; an entry without has its ISO 9660 identifier for a name.
//
// To read the volume of a partition, give it a section of the image.
func ReadTree(r io.ReaderAt) ([]Entry, error) {
	size := sizeOf(r)
	if size < 0 {
		size = math.MaxInt64
	}
	volume, err := openAs(r, size, RockRidge)
	if err != nil {
		return nil, fmt.Errorf("reading directories: %w", err)
	}
	t := treeReader{r: volume}
	if err := t.directory(volume.root); err != nil {
		return nil, fmt.Errorf("reading directories: %w", err)
	}
	return t.entries, nil
}

// treeReader is the state of one walk.
type treeReader struct {
	r       *Reader
	read    int64 // bytes of directories so far
	entries []Entry
}

// directory adds the entries of a directory and of those below it.
func (t *treeReader) directory(dir Entry) error {
	if t.read += dir.bytes; t.read > maxDirectoryBytes {
		return fmt.Errorf("directory %q: more than %d bytes of directories", dir.Path, maxDirectoryBytes)
	}
	d, err := t.r.directory(dir)
	if err != nil {
		return err
	}
	t.entries = append(t.entries, d.entries...)
	for _, e := range d.entries {
		if e.Mode.IsDir() {
			if err := t.directory(e); err != nil {
				return err
			}
		}
	}
	return nil
}
