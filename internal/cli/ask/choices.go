package ask

import (
	"cmp"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/picklist"
	"github.com/livebuild/livebuild/internal/report"
)

// imageNames are those of files that are images, as a rule.
var imageNames = []string{".iso", ".iso.zst", ".iso.xz", ".iso.gz", ".img", ".img.zst", ".img.xz", ".img.gz", ".raw"}

// mostImages is how many a list has.
const mostImages = 50

// isImage tells images from other files by their names.
func isImage(name string) bool {
	return slices.ContainsFunc(imageNames, func(end string) bool { return strings.HasSuffix(strings.ToLower(name), end) })
}

// printable reports whether a screen shows a word and does nothing else: names of files and of
// configurations are anyone's.
func printable(word string) bool {
	return !strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) })
}

// images are those in a folder, the newest first.
func images(folder string) []choice {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var infos []fs.FileInfo
	for _, entry := range entries {
		if !isImage(entry.Name()) || !printable(entry.Name()) {
			continue
		}
		// A link counts as what it leads to.
		if info, err := os.Stat(filepath.Join(folder, entry.Name())); err == nil && info.Mode().IsRegular() {
			infos = append(infos, named{info, entry.Name()})
		}
	}
	slices.SortStableFunc(infos, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	var list []choice
	for _, info := range infos[:min(mostImages, len(infos))] {
		word := info.Name()
		if strings.HasPrefix(word, "-") {
			word = "./" + word
		}
		detail := human.Size(info.Size()) + ", " + info.ModTime().Format("2006-01-02 15:04")
		list = append(list, choice{word, picklist.Item{Name: info.Name(), Detail: detail}})
	}
	return list
}

// named is a file by the name that it has in its folder.
type named struct {
	fs.FileInfo
	name string
}

func (n named) Name() string { return n.name }

// sticks are the disks that people write images to, also those that will be refused, which is
// said when one is picked.
func sticks() ([]choice, error) {
	disks, err := device.Local().Disks()
	if err != nil {
		return nil, err
	}
	var list []choice
	for _, d := range disks {
		if d.Stick() && !d.System() {
			list = append(list, choice{d.Path, picklist.Item{Name: d.Path, Detail: describe(d)}})
		}
	}
	return list, nil
}

// describe says what a disk is, what is on it, and what it is used for.
func describe(d device.Disk) string {
	text := report.Sketch(d)
	if on := report.Contents(d); on != "" {
		text += ", holds " + on
	}
	for _, u := range d.Uses {
		text += ", " + u.String()
	}
	return text
}

// flakeHere reports whether Nix finds a flake in the current folder, or above within a git
// repository ("Flake references", path-like ones).
func flakeHere() bool {
	folder, err := os.Getwd()
	if err != nil {
		return false
	}
	for {
		if info, err := os.Stat(filepath.Join(folder, "flake.nix")); err == nil && info.Mode().IsRegular() {
			return true
		}
		if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil || folder == filepath.Dir(folder) {
			return false
		}
		folder = filepath.Dir(folder)
	}
}

// installableOf is how a configuration is written, and whether it can be.
func installableOf(ref, name string) (string, bool) {
	for _, text := range []string{ref + "#" + name, ref + "#" + url.PathEscape(name), ref + `#"` + name + `"`} {
		if of, err := installable.Parse(text); err == nil && of.Name == name {
			return text, true
		}
	}
	return "", false
}
