package create

import (
	"fmt"
	"os"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
)

// Where iso looks for what has been packed before.
const (
	reuseAuto = "auto"
	reuseNone = "none"
)

// parseReuse finds out before any work whether a named image is there.
func parseReuse(text string) (build.Reuse, error) {
	switch text {
	case reuseAuto:
		return build.Reuse{}, nil
	case reuseNone:
		return build.Reuse{None: true}, nil
	}
	info, err := os.Stat(text)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", text)
	}
	if err != nil {
		return build.Reuse{}, face.Usage(fmt.Errorf("--reuse: %w", err))
	}
	return build.Reuse{Path: text}, nil
}
