package synthetic

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/livebuild/livebuild/internal/store"
)

// Update makes another build of those store paths of a closure whose names contain match, as an update
// brings them: under other names, with another reference in each program. What is a program begins as
// ELF files and scripts do; with a match every file is one. The store is in the folder root, which
// gets the new paths beside the old ones; what is not changed is linked. NAR hashes come out
// different, and wrong.
func Update(closure *store.Closure, root, match string) error {
	for i := range closure.Paths {
		info := &closure.Paths[i]
		if !strings.Contains(info.Path, match) {
			continue
		}
		sum := sha256.Sum256([]byte(match + info.Path))
		renamed := path.Join(path.Dir(info.Path), storeHash(sum)+path.Base(info.Path)[32:])
		if err := rebuild(root+info.Path, root+renamed, match != ""); err != nil {
			return err
		}
		info.Path, info.NarHash = renamed, sum
	}
	return nil
}

// storeHash is what begins the name of a store path, made of the first 20 bytes of a sum.
func storeHash(sum [sha256.Size]byte) string {
	const letters = "0123456789abcdfghijklmnpqrsvwxyz"
	var b strings.Builder
	for i := range 32 {
		b.WriteByte(letters[sum[i%20]&31])
		sum[i%20] = sum[i%20]>>3 | sum[i%20]<<5
	}
	return b.String()
}

// rebuild copies a tree, with a reference in each program changed, or in each file.
func rebuild(from, to string, all bool) error {
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	partial := to + ".new"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := partial + strings.TrimPrefix(file, from)
		switch {
		case d.IsDir():
			return os.Mkdir(target, 0o755)
		case d.Type() == fs.ModeSymlink:
			text, err := os.Readlink(file)
			return errors.Join(err, os.Symlink(text, target))
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !all && !bytes.HasPrefix(content, []byte("\x7fELF")) && !bytes.HasPrefix(content, []byte("#!")) || len(content) < 64 {
			return os.Link(file, target)
		}
		// As references are: a hash of 32 letters in each 256 KiB.
		for at := len(content) / 2 % (256 << 10); at+32 <= len(content); at += 256 << 10 {
			sum := sha256.Sum256(fmt.Append(nil, file, at))
			copy(content[at:], storeHash(sum))
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, info.Mode().Perm())
	})
	if err != nil {
		return err
	}
	return os.Rename(partial, to)
}
