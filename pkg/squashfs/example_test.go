package squashfs_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Packing a file system and reading a file back.
func Example() {
	files := fstest.MapFS{
		"etc/motd": {Data: []byte("Welcome.\n"), Mode: 0o644},
		"etc/link": {Data: []byte("motd"), Mode: fs.ModeSymlink},
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "image.squashfs"))
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	summary, err := squashfs.Write(context.Background(), f, files, squashfs.Options{})
	if err != nil {
		log.Fatal(err)
	}

	r, err := squashfs.Open(f, summary.Size)
	if err != nil {
		log.Fatal(err)
	}
	contents, err := fs.ReadFile(r.FS(), "etc/link")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", contents)
	err = r.Walk(func(path string, ino squashfs.Inode) error {
		fmt.Println(ino.Mode, ino.ModTime.Format(time.DateOnly), path)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// Welcome.
	// dr-xr-xr-x 1980-01-01 .
	// dr-xr-xr-x 1980-01-01 etc
	// Lrwxrwxrwx 1980-01-01 etc/link
	// -rw-r--r-- 1980-01-01 etc/motd
}

// owned is a source whose files belong to somebody else than those of the source
// that it is around.
type owned struct {
	squashfs.Source
	uid, gid uint32
}

func (o owned) ReadDir(dir string) ([]squashfs.Attributes, error) {
	list, err := o.Source.ReadDir(dir)
	for i := range list {
		list[i].UID, list[i].GID = o.uid, o.gid
		list[i].Xattrs = append(list[i].Xattrs, squashfs.Xattr{Name: "user.origin", Value: []byte("example")})
	}
	return list, err
}

// A source of one's own says who files belong to and what attributes they have.
func ExampleSource() {
	files := fstest.MapFS{"home/notes": {Data: []byte("Buy milk.\n"), Mode: 0o600}}
	tree, err := squashfs.NewTree(context.Background(), owned{squashfs.FromFS(files), 1000, 100})
	if err != nil {
		log.Fatal(err)
	}
	f, err := os.CreateTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	summary, err := tree.Write(context.Background(), f, squashfs.Options{ModTime: time.Unix(1e9, 0)})
	if err != nil {
		log.Fatal(err)
	}

	r, err := squashfs.Open(f, summary.Size)
	if err != nil {
		log.Fatal(err)
	}
	ino, err := r.Lookup("home/notes")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ino.Mode, ino.UID, ino.GID, ino.ModTime)
	for x, err := range r.Xattrs(ino) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s=%q\n", x.Name, x.Value)
	}
	// Output:
	// -rw------- 1000 100 2001-09-09 01:46:40 +0000 UTC
	// user.origin="example"
}
