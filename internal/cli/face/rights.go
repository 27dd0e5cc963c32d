package face

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/human"
)

// RightsError says that the user may not open a disk.
type RightsError struct {
	Path    string
	Command string // that would
}

func (e *RightsError) Error() string { return "opening " + e.Path + " needs the rights of root" }

// Rights puts the command that would have them into an error about missing
// ones.
func (a *App) Rights(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	program, errExe := os.Executable()
	if errExe != nil {
		program = "livebuild"
	}
	// sudo has a PATH of its own.
	return &RightsError{path, human.ShellLine(slices.Concat([]string{"sudo", program}, a.Args))}
}

// CheckRights finds out early whether the disks can be opened.
func (a *App) CheckRights(disks []device.Disk, write bool) error {
	for _, d := range disks {
		if err := d.CheckRights(write); err != nil {
			return a.Rights(d.Path, err)
		}
	}
	return nil
}
