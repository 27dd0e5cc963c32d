package request

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/netboot"
)

// Where is looked for what has been packed before.
const (
	reuseAuto = "auto"
	reuseNone = "none"
)

// AddReuseFlag adds --reuse to a verb that packs; what says what can be named.
func AddReuseFlag(f *pflag.FlagSet, reuse *string, what string) {
	f.StringVar(reuse, "reuse", reuseAuto, "take what has not changed from an earlier `IMAGE`"+what+": auto is the file to be replaced or one built before, none packs all afresh")
}

// ParseReuse finds out before any work whether a named image is there. A folder is one to start
// machines from over the network, in which an initrd has the store. The error is a *face.UsageError.
func ParseReuse(text string) (build.Reuse, error) {
	switch text {
	case reuseAuto:
		return build.Reuse{}, nil
	case reuseNone:
		return build.Reuse{None: true}, nil
	}
	info, err := os.Stat(text)
	if err == nil && info.IsDir() {
		text, err = inFolder(text)
	}
	if err != nil {
		return build.Reuse{}, face.Usage(fmt.Errorf("--reuse: %w", err))
	}
	return build.Reuse{Path: text}, nil
}

// inFolder is the file with the store in a folder.
func inFolder(folder string) (string, error) {
	for _, name := range []string{netboot.Store, netboot.Initrd} {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	return "", fmt.Errorf("%s is a folder without %s", folder, netboot.Initrd)
}
