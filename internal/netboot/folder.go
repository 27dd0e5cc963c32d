package netboot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/livebuild/livebuild/internal/manifest"
)

// Folder is a folder that is there, whoever made it.
type Folder struct {
	Path   string // of the folder
	Script string // name of the script in it

	// Manifest is nil if livebuild did not make the folder.
	Manifest *manifest.Manifest
}

// FolderError says that machines cannot be started from a folder.
type FolderError struct {
	Path   string
	Reason string
}

func (e *FolderError) Error() string { return e.Path + " " + e.Reason }

// extension is that of scripts for iPXE.
const extension = ".ipxe"

// Names reports whether a path is that of a folder to start machines from, or of a script in one.
func Names(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		return info.Mode().IsRegular() && (strings.HasSuffix(path, extension) || filepath.Base(path) == Manifest)
	}
	for _, name := range []string{Script, Manifest} {
		if info, err := os.Stat(filepath.Join(path, name)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// Holds reports whether a path is that of a folder to start machines from, or of the manifest in one.
func Holds(path string) bool { return Names(path) && !strings.HasSuffix(path, extension) }

// Open looks at a folder, or at a script in one. The error is a *FolderError if no machine can be started from
// there, or a [*manifest.Error].
func Open(path string) (*Folder, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: path, Script: Script}
	if filepath.Base(path) == Manifest && !info.IsDir() {
		f.Path = filepath.Dir(path)
	} else if !info.IsDir() {
		if !strings.HasSuffix(path, extension) {
			return nil, &FolderError{path, "is neither a folder nor a script for iPXE (*" + extension + ")"}
		}
		f.Path, f.Script = filepath.Split(path)
		if f.Path == "" {
			f.Path = "."
		}
	}
	script, err := os.Stat(filepath.Join(f.Path, f.Script))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FolderError{f.Path, "has no " + f.Script}
	case err != nil:
		return nil, err
	case !script.Mode().IsRegular():
		return nil, &FolderError{filepath.Join(f.Path, f.Script), "is not a regular file"}
	}
	f.Manifest, err = ReadManifest(filepath.Join(f.Path, Manifest))
	if errors.Is(err, fs.ErrNotExist) || f.Script != Script {
		f.Manifest, err = nil, nil
	}
	return f, err
}

// ReadManifest reads the manifest of a folder, of which nothing is known to be true. The error
// is a [*manifest.Error] or a [*manifest.VersionError] if the file is of no use.
func ReadManifest(path string) (*manifest.Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := manifest.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Ours reports whether a file is the manifest of a folder that livebuild made.
func Ours(path string) (bool, error) {
	m, err := ReadManifest(path)
	if _, other := errors.AsType[*manifest.Error](err); other {
		return false, nil
	}
	return m != nil && m.Boot != nil, err
}
