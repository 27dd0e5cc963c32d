// Package evalcache remembers what evaluations said, by what they were made of.
//
// It is a folder with a file for each, in the user's cache folder, and nothing is lost with it but
// time. Who asks has to see that what an answer names is still there.
package evalcache

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Cache is the folder. The zero value remembers nothing.
type Cache struct {
	folder string
}

// most is how many answers are remembered, each of some ten kilobytes.
const most = 64

// In is the cache in livebuild's cache folder, which need not exist yet.
func In(cache string) Cache { return Cache{filepath.Join(cache, "evaluations")} }

// Key is where the answer to a question is: the parts are the question, in their order.
func Key(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s,", len(part), part)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// Get returns the answer at a key, or nil if there is none.
func (c Cache) Get(key string) []byte {
	if c.folder == "" {
		return nil
	}
	file := filepath.Join(c.folder, key)
	answer, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(file, now, now) // forgotten later; if not, sooner
	return answer
}

// Put remembers an answer, at once or not at all, and forgets those that nobody asked for the
// longest.
func (c Cache) Put(key string, answer []byte) (err error) {
	if c.folder == "" {
		return nil
	}
	if err := os.MkdirAll(c.folder, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.folder, partial+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(answer)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(c.folder, key)); err != nil {
		return err
	}
	return c.forget()
}

// partial begins the names of files that are not complete, or never were.
const partial = "partial-"

// partialTime is after how long an incomplete file is nobody's any more.
const partialTime = time.Hour

// forget removes what is too much. Others may do so at the same time.
func (c Cache) forget() error {
	entries, err := os.ReadDir(c.folder)
	if err != nil {
		return err
	}
	var answers []fs.FileInfo
	var all []error
	remove := func(name string) {
		if err := os.Remove(filepath.Join(c.folder, name)); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	for _, entry := range entries {
		info, err := entry.Info()
		switch {
		case err != nil: // gone
		case !strings.HasPrefix(entry.Name(), partial):
			answers = append(answers, info)
		case time.Since(info.ModTime()) > partialTime:
			remove(entry.Name())
		}
	}
	slices.SortFunc(answers, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, info := range answers[min(most, len(answers)):] {
		remove(info.Name())
	}
	return errors.Join(all...)
}
