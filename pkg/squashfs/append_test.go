package squashfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// TestAppend has mksquashfs add to an image: it takes the inode table to end with the root's inode, and
// everything before it to be there to stay, directories of all levels among it.
func TestAppend(t *testing.T) {
	src := t.TempDir()
	for i := range 300 {
		dir := filepath.Join(src, fmt.Sprint(i), "b", fmt.Sprint("c", i%7))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "file", fmt.Appendf(nil, "file %d", i), 0o444)
		write(t, src, fmt.Sprint("file", i), []byte(dir), 0o444)
	}
	opts := testOptions
	opts.Codec = newCodec(t, "xz", 0)
	image, _ := writeImage(t, dirEntries(t, src), opts)
	extra := t.TempDir()
	write(t, extra, "new", []byte("new"), 0o444)
	judge.Run(t, "squashfs-tools", "mksquashfs", filepath.Join(extra, "new"), image, "-no-progress", "-no-recovery")
	write(t, src, "new", []byte("new"), 0o444)
	compareTrees(t, src, unsquash(t, image))
}
