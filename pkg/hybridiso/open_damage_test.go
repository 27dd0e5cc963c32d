package hybridiso

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// readAll reads all files of a volume by one of its hierarchies, as far as that
// goes.
func readAll(image []byte, naming Naming) error {
	r, err := openAs(bytes.NewReader(image), int64(len(image)), naming)
	if err != nil {
		return err
	}
	var all []error
	budget := 16 << 20 // of contents, which files may share
	err = fs.WalkDir(r.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			all = append(all, err)
			return fs.SkipDir
		}
		if d.Type().IsRegular() && budget > 0 && fs.ValidPath(path) {
			p, err := fs.ReadFile(r.FS(), path)
			budget -= len(p)
			all = append(all, err)
		}
		return nil
	})
	return errors.Join(append(all, err)...)
}

// TestOpenDamage changes one thing at a time. It must be found, at a cost that
// does not depend on how large a lie is.
func TestOpenDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.iso")
	judge.Run(t, "xorriso", "xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-o", path, smallTree(t))
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := readAll(sound, RockRidge); err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(sound), int64(len(sound)))
	if err != nil {
		t.Fatal(err)
	}
	entry := func(name string) Entry {
		e, err := r.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	change := func(b []byte, name string, edit func(*directoryRecord)) {
		place := entry(name).Record
		var rec directoryRecord
		decode(b[place:], &rec)
		edit(&rec)
		copy(b[place:], encode(rec))
	}
	signature := func(b []byte, name, was, becomes string) {
		at := entry(name).Record
		i := bytes.Index(b[at:at+maxRecordLength], []byte(was))
		if i < 0 {
			t.Fatalf("%s has no %s entry", name, was)
		}
		copy(b[at+int64(i):], becomes)
	}
	for name, damage := range map[string]struct {
		edit func(b []byte)
		want string // in the error
	}{
		"no descriptors":     {func(b []byte) { clear(b[descriptorBlock*blockSize:][:blockSize]) }, "no ISO 9660 volume"},
		"block size":         {func(b []byte) { copy(b[descriptorBlock*blockSize+128:], "\x00\x02\x02\x00") }, "blocks of 512 bytes"},
		"root of 4 GiB":      {func(b []byte) { copy(b[descriptorBlock*blockSize+156+10:], "\xff\xff\xff\xff") }, "more than 16777216"},
		"root nowhere":       {func(b []byte) { copy(b[descriptorBlock*blockSize+156+2:], "\xff\xff\xff\xff") }, "unexpected EOF"},
		"directory of 4 GiB": {func(b []byte) { change(b, "many", func(d *directoryRecord) { d.DataLength = newBoth32(1<<32 - 1) }) }, "more than 16777216"},
		"directory of 15 MiB": {func(b []byte) { change(b, "many", func(d *directoryRecord) { d.DataLength = newBoth32(15 << 20) }) },
			"in an image of"},
		"directory in itself": {func(b []byte) {
			change(b, "many/of", func(d *directoryRecord) { d.Location = newBoth32(uint32(entry("many").block)) })
		}, "is met twice"},
		"directory elsewhere": {func(b []byte) {
			change(b, "void", func(d *directoryRecord) { d.Location = newBoth32(uint32(entry("many").block)) })
		}, "is met twice"},
		"directory is root": {func(b []byte) {
			change(b, "many/of", func(d *directoryRecord) { d.Location = newBoth32(uint32(r.root.block)) })
		}, "is met twice"},
		"file of 4 GiB": {func(b []byte) {
			change(b, "boot/kernel", func(d *directoryRecord) { d.DataLength = newBoth32(1<<32 - 1) })
		}, "in an image of"},
		"file nowhere": {func(b []byte) {
			change(b, "boot/kernel", func(d *directoryRecord) { d.Location = newBoth32(1<<32 - 1) })
		}, "of an image of"},
		"file goes on":     {func(b []byte) { change(b, "boot/kernel", func(d *directoryRecord) { d.Flags |= flagMultiExtent }) }, "last section is missing"},
		"record too short": {func(b []byte) { change(b, "boot/kernel", func(d *directoryRecord) { d.Length = 33 }) }, "is damaged"},
		"name too long":    {func(b []byte) { change(b, "boot/kernel", func(d *directoryRecord) { d.IdentifierLength = 255 }) }, "is damaged"},
		"entries too long": {func(b []byte) { signature(b, "boot/kernel", "PX", "PX\xff") }, "system use entries"},
		"slash in a name":  {func(b []byte) { signature(b, "boot/kernel", "kernel", "ker/..") }, "not clean"},
		"moved to nowhere": {func(b []byte) { signature(b, "many/of", "TF", "CL") }, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			image := bytes.Clone(sound)
			damage.edit(image)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := readAll(image, RockRidge)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), damage.want) {
				t.Errorf("error = %v, want one with %q", err, damage.want)
			}
			const bound = 32 << 20
			if got := after.TotalAlloc - before.TotalAlloc; got > bound {
				t.Errorf("%d bytes allocated, want no more than %d", got, bound)
			}
		})
	}
}

// FuzzOpen: whatever the damage, reading ends without a panic, and what
// ReadTree reads can be looked up.
func FuzzOpen(f *testing.F) {
	images := fuzzImages(f)
	path := filepath.Join(f.TempDir(), "image.iso")
	for _, args := range []string{"genisoimage -quiet -R", "genisoimage -quiet -J -udf", "genisoimage -quiet"} {
		words := append(strings.Fields(args), "-o", path, hostTree(f))
		judge.Run(f, "genisoimage", words[0], words[1:]...)
		image, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		images = append(images, image[:min(len(image), 768<<10)])
	}
	addDamages(f, len(images))
	f.Fuzz(func(t *testing.T, which uint8, patches []byte) {
		image := damage(images[int(which)%len(images)], patches)
		for _, naming := range []Naming{RockRidge, Joliet, Plain} {
			_ = readAll(image, naming)
		}
		if r, err := Open(bytes.NewReader(image), int64(len(image))); err == nil {
			if err := r.Findings(t.Context(), CheckOptions{Same: true}, func(Finding) error { return nil }); err != nil {
				t.Errorf("Findings: %v", err)
			}
		}
		entries, err := ReadTree(bytes.NewReader(image))
		if err != nil {
			return
		}
		r, err := openAs(bytes.NewReader(image), int64(len(image)), RockRidge)
		if err != nil {
			t.Fatalf("Open after ReadTree: %v", err)
		}
		for _, e := range entries {
			if got, err := r.Lookup(e.Path); err != nil || fmt.Sprint(got) != fmt.Sprint(e) {
				t.Errorf("Lookup(%q) = %v, %v, want %v", e.Path, got, err, e)
			}
		}
	})
}
