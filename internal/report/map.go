package report

import (
	"fmt"
	"io"

	"github.com/livebuild/livebuild/internal/human"
)

// Map is what was drawn, and where it is.
type Map struct {
	File  string `json:"file"`  // of the map
	Size  int64  `json:"size"`  // of the image, in bytes
	Bytes int64  `json:"bytes"` // when its files are read
	Files int    `json:"files"`
}

// Text is a line.
func (r Map) Text(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s: %s of %s, %s when read\n", r.File, human.Count(r.Files, "file"), human.Size(r.Size), human.Size(r.Bytes))
	return err
}
