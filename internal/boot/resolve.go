package boot

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
)

// maxLinks is how many links may lead to a file, as in the kernel
// (path_resolution(7)).
const maxLinks = 40

// resolve returns the file that a path leads to, free of links. The links of a
// store name its paths as /nix/store/…, and mean them where the store is.
func resolve(store Store, file string) (string, error) {
	links := 0
	done, rest := "/", store.PhysicalPath(file)
	for rest != "" {
		var element string
		element, rest, _ = strings.Cut(rest, "/")
		// Join takes "." and ".." out, which is right where done has no links.
		next := path.Join(done, element)
		target, err := os.Readlink(next)
		if errors.Is(err, syscall.EINVAL) { // not a link
			done = next
			continue
		}
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w", file, syscall.ELOOP)
		}
		if path.IsAbs(target) {
			done, target = "/", store.PhysicalPath(target)
		}
		rest = target + "/" + rest
	}
	return done, nil
}
