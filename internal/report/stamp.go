package report

import (
	"fmt"
	"io"

	"github.com/livebuild/livebuild/internal/stamp"
)

// Stamp is what is stamped onto an image.
type Stamp struct {
	File    string        `json:"file"`
	Stamped bool          `json:"stamped"`
	Tool    string        `json:"tool,omitempty"` // that did it
	Items   []stamp.Entry `json:"items"`
}

// NewStamp describes a stamp; nil is none.
func NewStamp(file string, s *stamp.Stamp) Stamp {
	if s == nil {
		return Stamp{File: file, Items: []stamp.Entry{}}
	}
	return Stamp{File: file, Stamped: true, Tool: s.Tool, Items: s.Items}
}

// Text is a line for the image, and one for each item.
func (r Stamp) Text(w io.Writer) error {
	if !r.Stamped {
		_, err := fmt.Fprintf(w, "%s: not stamped\n", r.File)
		return err
	}
	if _, err := fmt.Fprintf(w, "%s: stamped by %s\n", r.File, r.Tool); err != nil {
		return err
	}
	for _, item := range r.Items {
		hidden := ""
		if item.Secret {
			hidden = " (more is not shown)"
		}
		if _, err := fmt.Fprintf(w, "  %s: %s%s\n", item.Kind, item.Text, hidden); err != nil {
			return err
		}
	}
	return nil
}
