package ask

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/medium"
)

// Limits of reading a folder of an image while somebody waits for a word to go on.
const (
	readLimit = 2 * time.Second
	mostFiles = 2000
)

// paths are the files of an image, or of a disk, that a path to one of them can go on with. Of an image
// that would have to be expanded first there are none.
func paths(ctx context.Context, name, word string) ([]string, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	m, err := medium.Open(ctx, name, medium.OpenOptions{Any: true})
	if err != nil {
		return nil, none
	}
	defer m.Close()
	c, err := contents.Open(m.Medium)
	if err != nil {
		return nil, none
	}
	dir := "/"
	if n := strings.LastIndex(word, "/"); n >= 0 {
		dir = word[:n+1]
	}
	var list []string
	roots := c.Roots()
	if _, err := c.Find("/nix/store/", true); err == nil {
		roots = append(roots, "/nix/store/") // which no folder of the volume leads to
	}
	for _, root := range roots {
		if root = strings.TrimSuffix(root, "/") + "/"; root != "/" && root != word && strings.HasPrefix(root, word) {
			list = append(list, root)
		}
	}
	directive := none | cobra.ShellCompDirectiveNoSpace
	found, err := c.Find(dir, true)
	if err != nil || len(found) != 1 || !found[0].Mode.IsDir() {
		return list, directive
	}
	deadline := time.Now().Add(readLimit)
	for f, err := range c.List(found[0]) {
		if err != nil || len(list) == mostFiles || ctx.Err() != nil || time.Now().After(deadline) {
			break
		}
		text := dir + path.Base(f.Path)
		if !strings.HasPrefix(text, word) && word != "" || slices.Contains(list, text+"/") || !printable(text) || strings.ContainsAny(text, `*?[\`) {
			continue // a pattern would mean more
		}
		if f.Mode.IsDir() {
			text += "/"
		}
		list = append(list, text)
	}
	if len(list) == 1 && !strings.HasSuffix(list[0], "/") {
		directive = none
	}
	return list, directive
}
