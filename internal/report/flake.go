package report

import (
	"fmt"
	"io"
	"path/filepath"
)

// Flake is one that was written to begin with.
type Flake struct {
	Folder        string   `json:"folder"` // absolute
	Template      string   `json:"template"`
	Files         []string `json:"files"`          // by their names in the folder, slash-separated
	NewRepository bool     `json:"new_repository"` // of git, around them
	Shown         string   `json:"-"`              // the folder as it was named
}

// Text writes the names of the files.
func (f Flake) Text(w io.Writer) error {
	for _, file := range f.Files {
		if _, err := fmt.Fprintln(w, filepath.Join(f.Shown, filepath.FromSlash(file))); err != nil {
			return err
		}
	}
	return nil
}
