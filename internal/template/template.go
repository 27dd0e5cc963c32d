// Package template has flakes to begin with: live media beside the systems that are installed
// from them. Nix offers the same files as templates of livebuild's own flake.
package template

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// A Template is one of the flakes.
type Template struct {
	Name        string `json:"name"`
	Description string `json:"description"` // what it makes, in a few words
}

//go:embed templates.json
var table []byte

//go:embed all:minimal all:graphical all:rescue all:installer all:aarch64 all:multi
var files embed.FS

// list is what the table says.
var list = func() (list []Template) {
	if err := json.Unmarshal(table, &list); err != nil {
		panic(fmt.Sprintf("template: templates.json: %v", err))
	}
	return list
}()

// List returns all templates, the plainest first.
func List() []Template { return append([]Template(nil), list...) }

// UnknownError says that there is no template of a name.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no template %q", e.Name) }

// ExistsError says which files of a template are there already, with other contents.
type ExistsError struct {
	Folder string
	Files  []string // by their names in the folder
}

func (e *ExistsError) Error() string {
	if len(e.Files) == 1 {
		return fmt.Sprintf("%s has a %s already", e.Folder, e.Files[0])
	}
	return fmt.Sprintf("%s has these files already: %s", e.Folder, strings.Join(e.Files, ", "))
}

// Files returns the files of a template, which [fs.WalkDir] walks. The error is an [*UnknownError].
func Files(name string) (fs.FS, error) {
	for _, t := range list {
		if t.Name == name {
			return fs.Sub(files, name)
		}
	}
	return nil, &UnknownError{name}
}

// Write writes the files of a template into a folder, which is called label in errors, and returns
// their names, slash-separated. A file that is there as it should be is left alone; if another one
// is in the way, nothing is written, and the error is an [*ExistsError]. Of a run that fails,
// nothing is left.
func Write(folder *os.Root, label, name string) (written []string, err error) {
	from, err := Files(name)
	if err != nil {
		return nil, err
	}
	names, missing, err := compare(folder, label, from)
	if err != nil {
		return nil, err
	}
	var made []string // the innermost last
	defer func() {
		if err == nil {
			return
		}
		for i := len(made) - 1; i >= 0; i-- {
			_ = folder.Remove(made[i])
		}
	}()
	for _, file := range missing {
		if dir := path.Dir(file); dir != "." {
			switch err := folder.Mkdir(dir, 0o777); {
			case err == nil:
				made = append(made, dir)
			case !errors.Is(err, fs.ErrExist):
				return nil, err
			}
		}
		if err := writeFile(folder, from, file, &made); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// compare returns the names of all files, and of those that the folder does not have yet.
func compare(folder *os.Root, label string, from fs.FS) (names, missing []string, err error) {
	var others []string
	err = fs.WalkDir(from, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		names = append(names, file)
		want, err := fs.ReadFile(from, file)
		if err != nil {
			return err
		}
		info, err := folder.Lstat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, file)
			return nil
		case err != nil:
			return err
		case !info.Mode().IsRegular() || info.Size() != int64(len(want)):
			others = append(others, file)
			return nil
		}
		if got, err := folder.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			others = append(others, file)
		}
		return nil
	})
	if err == nil && len(others) > 0 {
		err = &ExistsError{label, others}
	}
	return names, missing, err
}

// writeFile writes a file that is not there, and adds it to made as soon as it is.
func writeFile(folder *os.Root, from fs.FS, name string, made *[]string) error {
	text, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	f, err := folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	*made = append(*made, name)
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
