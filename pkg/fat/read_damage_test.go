package fat

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"
)

// change edits a structure in an image.
func change[T any](t testing.TB, image []byte, at int64, edit func(*T)) {
	t.Helper()
	var s T
	decode(image[at:], &s)
	edit(&s)
	copy(image[at:], encode(nil, &s))
}

// setElement writes an element of the first allocation table.
func (r *Reader) setElement(image []byte, cluster, value uint32) {
	at := r.tableStart + int64(cluster)*int64(r.info.Bits)/8
	switch r.info.Bits {
	case 12:
		e := binary.LittleEndian.Uint16(image[at:])
		if cluster%2 == 0 {
			e = e&0xF000 | uint16(value)&0xFFF
		} else {
			e = e&0x000F | uint16(value)<<4
		}
		binary.LittleEndian.PutUint16(image[at:], e)
	case 16:
		binary.LittleEndian.PutUint16(image[at:], uint16(value))
	default:
		binary.LittleEndian.PutUint32(image[at:], value)
	}
}

// readAll opens a file system and reads all of it, as far as that goes.
func readAll(image []byte) error {
	r, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		return err
	}
	var all []error
	budget := 64 << 20 // of contents: a small file system has no more
	err = fs.WalkDir(r.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			all = append(all, err)
			return fs.SkipDir
		}
		if d.IsDir() || budget < 0 {
			return nil
		}
		p, err := fs.ReadFile(r.FS(), path)
		budget -= len(p)
		all = append(all, err)
		return nil
	})
	checked := r.Check(context.Background())
	if err = errors.Join(append(all, err)...); err != nil && checked == nil {
		return fmt.Errorf("Check accepts what cannot be read: %w", err)
	}
	return errors.Join(err, checked)
}

// TestDamage changes one thing at a time. It must be found, at a cost that does
// not depend on how large a lie is.
func TestDamage(t *testing.T) {
	for _, test := range []struct{ bits, megabytes int }{{12, 4}, {16, 40}, {32, 80}} {
		sound, _ := theirs(t, test.bits, test.megabytes)
		if err := readAll(sound); err != nil {
			t.Fatal(err)
		}
		r := open(t, sound)
		entry := func(name string) Entry {
			e, err := r.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		loader, boot, many := entry("EFI/BOOT/BOOTX64.EFI"), entry("EFI/BOOT"), entry("many")
		for name, damage := range map[string]struct {
			edit func(b []byte)
			want string // in the error
		}{
			"nothing":                 {func(b []byte) { clear(b[:512]) }, "not a FAT file system"},
			"sector size 0":           {func(b []byte) { b[11], b[12] = 0, 0 }, "sectors of 0 bytes"},
			"sector size 48 KiB":      {func(b []byte) { b[11], b[12] = 0, 0xC0 }, "sectors of 49152 bytes"},
			"cluster of no sectors":   {func(b []byte) { b[13] = 0 }, "clusters of 0 sectors"},
			"cluster of 3 sectors":    {func(b []byte) { b[13] = 3 }, "clusters of 3 sectors"},
			"no reserved sectors":     {func(b []byte) { b[14], b[15] = 0, 0 }, "no sectors before"},
			"no tables":               {func(b []byte) { b[16] = 0 }, "no allocation table"},
			"medium":                  {func(b []byte) { b[21] = 1 }, "medium of type 0x1"},
			"no sectors":              {func(b []byte) { clear(b[19:21]); clear(b[32:36]) }, "0 sectors have no room"},
			"all sectors":             {func(b []byte) { clear(b[19:21]); copy(b[32:36], "\xff\xff\xff\xff") }, "cut off"},
			"root of 65535 entries":   {func(b []byte) { b[17], b[18] = 0xFF, 0xFF }, ""},
			"table of 65535 sectors":  {func(b []byte) { b[22], b[23] = 0xFF, 0xFF }, ""},
			"table of 2 TiB":          {func(b []byte) { clear(b[22:24]); copy(b[36:40], "\xff\xff\xff\xff") }, "no room for a cluster"},
			"cluster before itself":   {func(b []byte) { r.setElement(b, loader.Cluster+3, loader.Cluster+1) }, "circle"},
			"cluster that is itself":  {func(b []byte) { r.setElement(b, loader.Cluster, loader.Cluster) }, "circle"},
			"chain into free":         {func(b []byte) { r.setElement(b, loader.Cluster, 0) }, "free cluster"},
			"chain into nowhere":      {func(b []byte) { r.setElement(b, loader.Cluster, uint32(r.info.Clusters)+firstCluster) }, "leads to cluster"},
			"chain too short":         {func(b []byte) { r.setElement(b, loader.Cluster, 0xFFFFFFF) }, "before its end"},
			"directory in a circle":   {func(b []byte) { r.setElement(b, many.Cluster, many.Cluster) }, "circle"},
			"tables differ":           {func(b []byte) { b[r.tableStart+r.tableLength+600] ^= 1 }, "differs from the first"},
			"directory in itself":     {func(b []byte) { change(t, b, boot.Offset, func(e *dirEntry) { e.setCluster(entry("EFI").Cluster) }) }, "another directory"},
			"directory is elsewhere":  {func(b []byte) { change(t, b, boot.Offset, func(e *dirEntry) { e.setCluster(many.Cluster) }) }, "another directory"},
			"directory without place": {func(b []byte) { change(t, b, boot.Offset, func(e *dirEntry) { e.setCluster(0) }) }, "free cluster"},
			"two files in one place": {func(b []byte) {
				change(t, b, entry("lower.cfg").Offset, func(e *dirEntry) { e.setCluster(loader.Cluster) })
			}, "cluster"},
			"file of 4 GiB":   {func(b []byte) { change(t, b, loader.Offset, func(e *dirEntry) { e.FileSize = 0xFFFFFFFF }) }, "more than the file system has"},
			"file too long":   {func(b []byte) { change(t, b, loader.Offset, func(e *dirEntry) { e.FileSize += 1 << 20 }) }, "before its end"},
			"file too short":  {func(b []byte) { change(t, b, loader.Offset, func(e *dirEntry) { e.FileSize = 1 }) }, "a size of 1"},
			"slash in a name": {func(b []byte) { change(t, b, loader.Offset, func(e *dirEntry) { e.Name[1] = '/' }) }, "is not a file name"},
			"lost clusters":   {func(b []byte) { change(t, b, loader.Offset, func(e *dirEntry) { e.Name[0] = recordDeleted }) }, "that no file has"},
		} {
			t.Run(fmt.Sprintf("FAT%d %s", test.bits, name), func(t *testing.T) {
				image := bytes.Clone(sound)
				damage.edit(image)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := readAll(image)
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
}

func (e *dirEntry) setCluster(c uint32) { e.FstClusLO, e.FstClusHI = uint16(c), uint16(c>>16) }

// TestFindings wants each of several faults with its place, and nothing else.
func TestFindings(t *testing.T) {
	image, _ := theirs(t, 16, 40)
	r := open(t, image)
	loader, err := r.Lookup("EFI/BOOT/BOOTX64.EFI")
	if err != nil {
		t.Fatal(err)
	}
	many, err := r.Lookup("many/a file with number 7.text")
	if err != nil {
		t.Fatal(err)
	}
	change(t, image, loader.Offset, func(e *dirEntry) { e.FileSize = 1 })
	change(t, image, many.Offset, func(e *dirEntry) { e.FileSize = 1 << 20 })
	want := map[string]bool{
		fmt.Sprintf("file at %d, %q", loader.Offset, "EFI/BOOT/BOOTX64.EFI"):         true,
		fmt.Sprintf("file at %d, %q", many.Offset, "many/a file with number 7.text"): true,
	}
	err = open(t, image).Findings(context.Background(), func(f Finding) error {
		if key := fmt.Sprintf("%s at %d, %q", f.Structure, f.Offset, f.Path); want[key] {
			delete(want, key)
		} else {
			t.Errorf("further finding: %v", f)
		}
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("Findings = %v without %v", err, want)
	}
}

// damage overwrites bytes of a copy of image. The patches are runs of a sector,
// an offset in it in units of 2 bytes, a length, and the bytes.
func damage(image, patches []byte) []byte {
	image = bytes.Clone(image)
	for len(patches) > 4 {
		sector, unit, length := int(patches[0])|int(patches[1])<<8, int(patches[2]), int(patches[3])
		patches = patches[4:]
		n := min(length, len(patches))
		copy(image[(sector*sectorSize+unit*2)%len(image):], patches[:n])
		patches = patches[n:]
	}
	return image
}

// FuzzOpen: whatever the damage, reading ends without a panic, and what Check
// accepts can be read.
func FuzzOpen(f *testing.F) {
	var images [][]byte
	for _, bits := range []int{12, 16} {
		size := int64(60<<10) << (bits / 16 * 6)
		image := build(f, Image{Size: size, ClusterSize: sectorSize, Time: millennium, Label: "FUZZ", Files: []File{
			{Path: "EFI/BOOT/BOOTX64.EFI", Data: pattern(3000)}, {Path: "a long name indeed.text"}, {Path: "d/e/f", Data: []byte("x")},
		}})
		r := open(f, image)
		if r.info.Bits != bits {
			f.Fatalf("seed of FAT%d instead of FAT%d", r.info.Bits, bits)
		}
		images = append(images, image[:r.dataStart+30<<9]) // more is free
	}
	image, _ := theirs(f, 32, 34, "-s", "1")
	images = append(images, image[:open(f, image).dataStart+60<<9])
	for which, image := range images {
		r := open(f, image)
		f.Add(uint8(which), []byte{})
		for _, at := range []int64{0, r.tableStart, r.rootStart, r.dataStart, r.dataStart + sectorSize, r.dataStart + 2*sectorSize} {
			low, high := byte(at/sectorSize), byte(at/sectorSize>>8)
			for unit := byte(0); unit < 40; unit += 3 {
				f.Add(uint8(which), []byte{low, high, unit, 2, 0xFF, 0xFF})
				f.Add(uint8(which), []byte{low, high, unit, 2, 2, 0})
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, patches []byte) {
		image := damage(images[int(which)%len(images)], patches)
		if err := readAll(image); err != nil && strings.Contains(err.Error(), "Check accepts") {
			t.Error(err)
		}
	})
}
