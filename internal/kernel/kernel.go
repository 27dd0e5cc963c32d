// Package kernel reads the configuration that a Linux kernel was built with:
// from its image, which holds it if CONFIG_IKCONFIG was set, as in the kernels
// of NixOS, or from a file beside the image, as Debian has it.
//
// Images are not trusted: damage is an error, and the memory and time that
// reading takes are bounded.
package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoConfig reports a kernel whose configuration is not to be had: it was
// built without, or the image is of a kind or compression that this package
// does not read.
var ErrNoConfig = errors.New("the kernel's configuration is neither in its image nor beside it")

// Open opens a file, as [os.Open] does for those of this machine.
type Open func(file string) (*os.File, error)

// ReadConfig returns the configuration of the kernel in a file, which open opens, as it
// does those beside it. The error is ErrNoConfig, or wraps it, unless the file cannot be
// read at all.
func ReadConfig(file string, open Open) (Config, error) {
	f, err := open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(file)
	// The name says which kernel it is of, and the image need not be unpacked.
	if name := release(f); name != "" {
		if config, err := readBeside(folder, []string{"config-" + name}, open); err == nil {
			return config, nil
		}
	}
	embedded, err := readEmbedded(f, info.Size())
	if err == nil {
		return embedded, nil
	}
	if beside, err := readBeside(folder, besideNames(filepath.Base(file)), open); !errors.Is(err, fs.ErrNotExist) {
		return beside, err
	}
	return nil, err
}

// ReadVersion returns the version of the kernel in a file, which open opens, as [Version] does, or empty.
func ReadVersion(file string, open Open) string {
	f, err := open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	return Version(f, info.Size())
}

// readBeside reads the first of some files that there is.
func readBeside(folder string, names []string, open Open) (Config, error) {
	for _, name := range names {
		config, err := readConfigFile(filepath.Join(folder, name), open)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return config, err
		}
	}
	return nil, fs.ErrNotExist
}

// besideNames are further names that the configuration of a kernel has in the same
// folder: that of installkernel(8), by the image's name, and that of the kernel's own build.
func besideNames(image string) []string {
	var names []string
	if _, version, ok := strings.Cut(image, "-"); ok {
		names = append(names, "config-"+version)
	}
	return append(names, "config", ".config")
}

func readConfigFile(path string, open Open) (Config, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ParseConfig(f)
}

// readEmbedded finds the configuration in an image of size bytes.
func readEmbedded(image io.ReaderAt, size int64) (Config, error) {
	kernel, err := unpack(image, size)
	if err == nil {
		err = findMarker(kernel)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoConfig, err)
	}
	return readMarked(kernel)
}
