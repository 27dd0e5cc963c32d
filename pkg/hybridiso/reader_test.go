package hybridiso

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestReadVolume(t *testing.T) {
	for name, img := range variants(t) {
		path, result := writeImage(t, img, streamOf(sampleStream))
		_, v := volumeOf(t, path)
		want := Volume{
			ID:           img.VolumeID,
			SystemID:     img.SystemID,
			VolumeSetID:  img.VolumeSetID,
			Publisher:    img.Publisher,
			DataPreparer: img.DataPreparer,
			Application:  img.Application,
			Size:         result.Size,
			Modified:     img.Time,
		}
		facts := v
		facts.BootEntries, facts.BootCode, facts.Partitions = nil, false, nil
		if !reflect.DeepEqual(facts, want) {
			t.Errorf("%s: ReadVolume = %+v, want %+v", name, facts, want)
		}
		boot := img.Boot
		modes := BootModes{
			BIOSDisc: boot.BIOS != nil,
			EFIDisc:  boot.EFI != nil,
			BIOSDisk: boot.BIOS != nil && boot.Hybrid,
			EFIDisk:  boot.EFI != nil && boot.Hybrid,
		}
		if got := v.BootModes(); got != modes {
			t.Errorf("%s: BootModes() = %+v, want %+v", name, got, modes)
		}
	}
}

// TestLostMBR has a sector of zeros before a GPT, and one before nothing.
func TestLostMBR(t *testing.T) {
	for name, img := range variants(t) {
		path, _ := writeImage(t, img, streamOf(sampleStream))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(make([]byte, sectorSize), 0); err != nil {
			t.Fatal(err)
		}
		v, err := ReadVolume(f)
		if err != nil {
			t.Fatal(err)
		}
		if v.LostMBR != img.Boot.Hybrid || v.BootCode || v.Partitions != nil {
			t.Errorf("%s: LostMBR = %t, BootCode = %t, Partitions = %v, want %t and neither", name, v.LostMBR, v.BootCode, v.Partitions, img.Boot.Hybrid)
		}
	}
}

// TestLargeEFIImage has one whose size does not fit its boot entry.
func TestLargeEFIImage(t *testing.T) {
	for _, test := range []struct{ size, load int64 }{
		{65535 * 512, 65535 * 512},
		{65536 * 512, 512},
	} {
		img := Image{VolumeID: "V", Time: testTime, Boot: Boot{EFI: &EFIBoot{Path: "e"}, Hybrid: true}}
		img.Files = []File{{Path: "e", Data: make([]byte, test.size)}}
		path, _ := writeImage(t, img, nil)
		_, v := volumeOf(t, path)
		if got := v.BootEntries[0].LoadSize; got != test.load {
			t.Errorf("EFI image of %d bytes: load size %d, want %d", test.size, got, test.load)
		}
		if got := v.Partitions[1].Size; got != test.size {
			t.Errorf("EFI image of %d bytes: partition of %d", test.size, got)
		}
	}
}

func TestReadVolumeRefuses(t *testing.T) {
	path, _ := writeImage(t, sampleImage(t), streamOf(sampleStream))
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"nothing":       {},
		"zeros":         make([]byte, 1<<20),
		"system area":   image[:descriptorBlock*blockSize],
		"no descriptor": append(bytes.Clone(image[:descriptorBlock*blockSize]), make([]byte, 1<<20)...),
	} {
		if _, err := ReadVolume(bytes.NewReader(content)); !errors.Is(err, ErrNoVolume) {
			t.Errorf("%s: ReadVolume: %v, want %v", name, err, ErrNoVolume)
		}
	}
	if _, err := ReadVolume(bytes.NewReader(image[:(descriptorBlock+1)*blockSize])); err == nil || errors.Is(err, ErrNoVolume) {
		t.Errorf("image cut behind its descriptor: ReadVolume: %v", err)
	}
	whole, err := ReadVolume(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(image)
	damaged[2*sectorSize]++
	if v, err := ReadVolume(bytes.NewReader(damaged)); err != nil || !slices.Equal(v.Partitions, whole.Partitions) || len(v.Doubts) != 1 {
		t.Errorf("damaged GPT: %v, %v, %v, want those of the backup and a doubt", v.Partitions, v.Doubts, err)
	}
	damaged[len(damaged)-backupSectors*sectorSize]++
	if v, err := ReadVolume(bytes.NewReader(damaged)); err != nil || len(v.Doubts) != 2 || v.BootModes().EFIDisk {
		t.Errorf("both copies damaged: %+v, %v, want two doubts", v, err)
	}
}

// xorrisoImage is made by another program, with the options of nixpkgs.
func xorrisoImage(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for name, b := range map[string][]byte{
		"isolinux/isolinux.bin": content(1, 4096),
		"boot/efi.img":          fatImage(t),
		"a long name of a file": []byte("content"),
	} {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../a/./b", filepath.Join(tree, "link")); err != nil {
		t.Fatal(err)
	}
	mbr := filepath.Join(dir, "mbr")
	if err := os.WriteFile(mbr, bootProgram(2), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.iso")
	judge.Run(t, "xorriso", "xorriso", "-as", "mkisofs", "-iso-level", "3", "-volid", "XORRISO", "-full-iso9660-filenames", "-joliet",
		"-eltorito-boot", "isolinux/isolinux.bin", "-eltorito-catalog", ".boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
		"-isohybrid-mbr", mbr, "-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat",
		"-r", "-o", out, tree)
	image, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestReadXorrisoImage(t *testing.T) {
	r := bytes.NewReader(xorrisoImage(t))
	v, err := ReadVolume(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := (BootModes{true, true, true, true}); v.ID != "XORRISO" || v.BootModes() != want {
		t.Errorf("ReadVolume: volume %q, boot modes %+v, want XORRISO, %+v", v.ID, v.BootModes(), want)
	}
	entries, err := ReadTree(r)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]Entry)
	for _, e := range entries {
		found[e.Path] = e
	}
	if got := found["link"].Target; got != "../a/./b" {
		t.Errorf("link target %q", got)
	}
	file := found["a long name of a file"]
	if len(file.Extents) != 1 {
		t.Fatalf("file has extents %v", file.Extents)
	}
	got := make([]byte, file.Size)
	if _, err := r.ReadAt(got, file.Extents[0].Offset); err != nil || string(got) != "content" {
		t.Errorf("file holds %q, %v", got, err)
	}
}

// fuzzImages are the images that the fuzzers damage: with everything, with
// little, and by another program. They are cut behind what a reader follows.
func fuzzImages(f *testing.F) [][]byte {
	img := sampleImage(f)
	img.Files = img.Files[:21] // without the directory of many files
	small := Image{VolumeID: "V", Time: testTime, Files: []File{{Path: "d/l", Link: "../x"}}, Boot: Boot{Hybrid: true}}
	var images [][]byte
	for _, img := range []Image{img, small} {
		l, err := img.Layout()
		if err != nil {
			f.Fatal(err)
		}
		images = append(images, l.head(l.geometry(0)))
	}
	foreign := xorrisoImage(f)
	images = append(images, foreign[:min(len(foreign), 256<<10)])
	for i, image := range images {
		r := bytes.NewReader(image)
		if _, err := ReadVolume(r); err != nil {
			f.Fatalf("image %d: %v", i, err)
		}
		if entries, err := ReadTree(r); err != nil || len(entries) == 0 {
			f.Fatalf("image %d: %d entries, %v", i, len(entries), err)
		}
	}
	return images
}

// damage overwrites bytes of a copy of image. The patches are runs of a block,
// an offset in it in units of 8 bytes, a length, and the bytes.
func damage(image, patches []byte) []byte {
	image = bytes.Clone(image)
	for len(patches) > 3 {
		block, unit, length := int(patches[0]), int(patches[1]), int(patches[2])
		patches = patches[3:]
		n := min(length, len(patches))
		copy(image[(block*blockSize+unit*8)%len(image):], patches[:n])
		patches = patches[n:]
	}
	return image
}

// addDamages seeds a fuzzer with damage to each kind of block.
func addDamages(f *testing.F, images int) {
	for i := range images {
		f.Add(uint8(i), []byte{})
		for _, block := range []byte{0, 1, 16, 17, 18, 19, 32} {
			f.Add(uint8(i), []byte{block, 0, 8, 1, 'C', 'D', '0', '0', '1', 1, 0})
			f.Add(uint8(i), []byte{block, 10, 8, 255, 255, 255, 255, 255, 255, 255, 255})
		}
		for block := byte(40); block < 100; block++ {
			f.Add(uint8(i), []byte{block, 5, 4, 'C', 'E', 28, 1, block, 12, 2, 'N', 'M', block, 0, 1, 255})
		}
	}
}

func FuzzReadVolume(f *testing.F) {
	images := fuzzImages(f)
	addDamages(f, len(images))
	f.Fuzz(func(t *testing.T, which uint8, patches []byte) {
		image := damage(images[int(which)%len(images)], patches)
		v, err := ReadVolume(bytes.NewReader(image))
		if err != nil {
			return
		}
		v.BootModes()
		for _, p := range v.Partitions {
			if p.Offset < 0 || p.Size <= 0 {
				t.Errorf("partition %+v", p)
			}
		}
	})
}

func FuzzReadTree(f *testing.F) {
	images := fuzzImages(f)
	addDamages(f, len(images))
	f.Fuzz(func(t *testing.T, which uint8, patches []byte) {
		image := damage(images[int(which)%len(images)], patches)
		entries, err := ReadTree(bytes.NewReader(image))
		if err != nil {
			return
		}
		for _, e := range entries {
			if err := checkPath(e.Path); err != nil {
				t.Errorf("path %q: %v", e.Path, err)
			}
		}
	})
}
