package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/livebuild/livebuild/internal/store"
)

const varyVerb = "vary"

// vary makes another build of some store paths of the corpus, as an update brings them: under other
// names, with another reference in each program. What is a program begins as ELF files and scripts
// do; of the kernel's package every file is one. What is not changed is linked.
func vary(_ context.Context, args []string) error {
	flags := flag.NewFlagSet(varyVerb, flag.ExitOnError)
	from := flags.String("store", "", "root of the store, which gets the new paths, too")
	closureFile := flags.String("closure", "", "file with the closure")
	match := flags.String("match", "", "part of the names of the paths that change; empty for all")
	to := flags.String("output", "", "file for the closure that comes out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*closureFile)
	if err != nil {
		return err
	}
	closure := &store.Closure{}
	if err := json.Unmarshal(text, closure); err != nil {
		return err
	}
	for i := range closure.Paths {
		info := &closure.Paths[i]
		if !strings.Contains(info.Path, *match) {
			continue
		}
		sum := sha256.Sum256([]byte(*match + info.Path))
		renamed := path.Join(path.Dir(info.Path), storeHash(sum[:20])+path.Base(info.Path)[32:])
		if err := rebuild(*from+info.Path, *from+renamed, *match != ""); err != nil {
			return err
		}
		info.Path, info.NarHash = renamed, sum // which nobody holds against it
	}
	if text, err = json.Marshal(closure); err != nil {
		return err
	}
	return os.WriteFile(*to, text, 0o644)
}

// storeHash is 20 bytes in the letters of store paths.
func storeHash(sum []byte) string {
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
			copy(content[at:], storeHash(sum[:20]))
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
