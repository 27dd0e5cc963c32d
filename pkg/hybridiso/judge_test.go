package hybridiso

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	diskfs "github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/backend/file"
	iso "github.com/diskfs/go-diskfs/filesystem/iso9660"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/kdomanski/iso9660"

	"github.com/livebuild/livebuild/internal/judge"
)

// section copies bytes of an image to a file of its own, sparse where they are
// zero, and returns its path.
func section(t *testing.T, image string, offset, size int64) string {
	t.Helper()
	from, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(t.TempDir(), "section"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, io.NewSectionReader(from, offset, size)); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return to.Name()
}

// partitions copies the partitions of an image to files.
func partitions(t *testing.T, image string) []string {
	t.Helper()
	_, v := volumeOf(t, image)
	var paths []string
	for _, p := range v.Partitions {
		paths = append(paths, section(t, image, p.Offset, p.Size))
	}
	return paths
}

// mustContain reports the lines, as regular expressions, that text lacks.
func mustContain(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !regexp.MustCompile(`(?m)^` + line + `$`).MatchString(text) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

// extracted reads what xorriso extracts from a volume, through Rock Ridge.
func extracted(t *testing.T, image string) map[string]wantEntry {
	t.Helper()
	root := filepath.Join(t.TempDir(), "tree")
	judge.Run(t, "xorriso", "xorriso", "-osirrox", "on", "-indev", "stdio:"+image, "-extract", "/", root)
	got := make(map[string]wantEntry)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		entry := wantEntry{mode: info.Mode()}
		switch {
		case entry.mode.IsRegular():
			entry.content, err = os.ReadFile(path)
		case entry.mode.Type() == fs.ModeSymlink:
			entry.target, err = os.Readlink(path)
		}
		if !info.ModTime().Equal(testTime) && entry.mode.Type() != fs.ModeSymlink {
			t.Errorf("xorriso: %q has time %v, want %v", path, info.ModTime(), testTime)
		}
		got[strings.TrimPrefix(path, root+"/")] = entry
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestXorrisoExtracts compares every file of the image and of its partition.
func TestXorrisoExtracts(t *testing.T) {
	img := sampleImage(t)
	path, result := writeImage(t, img, streamOf(sampleStream))
	for name, c := range map[string]struct {
		image Image
		path  string
	}{
		"image":     {img, path},
		"partition": {withoutESP(img), partitions(t, path)[0]},
	} {
		got := extracted(t, c.path)
		for path, want := range wantTree(t, c.image, sampleStream) {
			g := got[path]
			delete(got, path)
			if path == img.Boot.BIOS.Path {
				checkBootInformation(t, g.content, want.content)
				copy(g.content[bootInformationOffset:bootInformationEnd], want.content[bootInformationOffset:])
			}
			if g.mode != want.mode || g.target != want.target || !bytes.Equal(g.content, want.content) {
				t.Errorf("%s: %q is %v, %q, %d bytes, want %v, %q, %d bytes",
					name, path, g.mode, g.target, len(g.content), want.mode, want.target, len(want.content))
			}
		}
		for path := range got {
			t.Errorf("%s: %q was not asked for", name, path)
		}
	}
	if want := int64(len(sampleStream)); result.StreamSize != want {
		t.Errorf("Result.StreamSize = %d, want %d", result.StreamSize, want)
	}
}

// checkBootInformation computes the table of isolinux.bin anew.
func checkBootInformation(t *testing.T, got, original []byte) {
	t.Helper()
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(got[i:]) }
	var sum uint32
	for i, b := range original[64:] {
		sum += uint32(b) << (8 * (i % 4))
	}
	if word(8) != 16 || word(16) != uint32(len(original)) || word(20) != sum {
		t.Errorf("boot information table: volume at %d, %d bytes, checksum %#x, want 16, %d, %#x",
			word(8), word(16), word(20), len(original), sum)
	}
	if !bytes.Equal(got[24:64], make([]byte, 40)) {
		t.Errorf("boot information table: reserved bytes are not zero")
	}
}

// TestXorrisoReports asks for the boot entries and partition tables.
func TestXorrisoReports(t *testing.T) {
	bios := []string{`El Torito boot img : +1  BIOS  y   none  0x0000  0x00      4 +\d+`,
		`El Torito img path : +1  /isolinux/isolinux.bin`, `El Torito img opts : +1  boot-info-table`}
	efi := func(n int) []string {
		return []string{fmt.Sprintf(`El Torito boot img : +%d  UEFI  y   none  0x0000  0x00   2048 +\d+`, n),
			fmt.Sprintf(`El Torito img path : +%d  /boot/efi.img`, n)}
	}
	hybrid := []string{`Partition offset   : 16`, `MBR partition      :   1   0x00  0xee            1        \d+`,
		`GPT partname local :   1  ISO 9660`, `GPT type GUID      :   1  af3dc60f838472478e793d69d8477de4`}
	active := `MBR partition      :   2   0x80  0x00            0            1`
	esp := []string{`GPT partition path :   2  /boot/efi.img`, `GPT type GUID      :   2  28732ac11ff8d211ba4b00a0c93ec93b`}
	images := variants(t)
	for name, want := range map[string][]string{
		"hybrid BIOS and EFI": append(append(append(append(bios, efi(2)...), hybrid...), esp...), active, `GPT partition flags:   1  0x9000000000000004`),
		"hybrid BIOS":         append(append(bios, hybrid...), active),
		"hybrid EFI":          append(append(append(efi(1), hybrid...), esp...), `GPT partition flags:   1  0x9000000000000000`),
		"hybrid data":         hybrid,
		"disc BIOS and EFI":   append(bios, efi(2)...),
		"disc BIOS":           bios,
		"disc EFI":            efi(1),
		"data":                {`Volume id    : 'nixos-minimal-24.05-x86_64-Linux'`},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := writeImage(t, images[name], streamOf(sampleStream))
			report := judge.Run(t, "xorriso", "xorriso", "-indev", "stdio:"+path, "-report_el_torito", "plain", "-report_system_area", "plain")
			mustContain(t, report, want...)
			for _, word := range []string{"WARNING", "SORRY", "FAILURE"} {
				if strings.Contains(report, word) {
					t.Errorf("xorriso reports %s:\n%s", word, report)
				}
			}
			system := make([]byte, descriptorBlock*blockSize)
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Read(system); err != nil {
				t.Fatal(err)
			}
			if zero := bytes.Equal(system, make([]byte, len(system))); zero == images[name].Boot.Hybrid {
				t.Errorf("system area is zero: %v", zero)
			}
		})
	}
}

// TestIsoinfo reads both hierarchies, and the path table, which no other judge
// reads.
func TestIsoinfo(t *testing.T) {
	img := sampleImage(t)
	path, _ := writeImage(t, img, streamOf(sampleStream))
	for _, volume := range []string{path, partitions(t, path)[0]} {
		if out := judge.Run(t, "genisoimage", "isoinfo", "-R", "-f", "-i", volume); !strings.Contains(out, "/"+strings.Repeat("n", 255)+"\n") {
			t.Errorf("isoinfo -R lacks the long name:\n%s", out)
		}
		joliet := judge.Run(t, "genisoimage", "isoinfo", "-j", "iso8859-15", "-J", "-f", "-i", volume)
		for _, want := range []string{"/names/Gr\xfc\xdfe \xa4.txt;1\n", "/isolinux/isolinux.cfg;1\n", "/nix-store.squashfs;1\n", "/readme;1\n", "/README;1\n"} {
			if !strings.Contains(joliet, want) {
				t.Errorf("isoinfo -J lacks %q:\n%s", want, joliet)
			}
		}
		plain := judge.Run(t, "genisoimage", "isoinfo", "-l", "-i", volume)
		mustContain(t, plain, `.*\] +NIX_STORE\.SQUASHFS;1 *`, `.*\] +README_2\.;1 *`, `Directory listing of /ISOLINUX/`)
		tables := judge.Run(t, "genisoimage", "isoinfo", "-p", "-i", volume)
		mustContain(t, tables, ` +1: +1 +[0-9a-f]+ +`, `.*ISOLINUX`)
		if got := judge.Run(t, "genisoimage", "isoinfo", "-R", "-x", "/readme", "-i", volume); got != string(content(3, 2048)) {
			t.Errorf("isoinfo -x /readme: %d other bytes", len(got))
		}
	}
}

// TestPartitionTools asks for the partition tables.
func TestPartitionTools(t *testing.T) {
	path, _ := writeImage(t, sampleImage(t), streamOf(sampleStream))
	if out := judge.Run(t, "gdisk", "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk -v:\n%s", out)
	}
	out := judge.Run(t, "fdisk", "sfdisk", "-d", path)
	mustContain(t, out, `label: gpt`,
		`.*1 : start= +64, size= +\d+, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, .*name="ISO 9660", attrs="LegacyBIOSBootable GUID:60,63"`,
		`.*2 : start= +\d+, size= +2048, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, .*name="EFI system"`)
	if out := judge.Run(t, "fdisk", "sfdisk", "--verify", path); !strings.Contains(out, "No errors detected") {
		t.Errorf("sfdisk --verify:\n%s", out)
	}

	disk, err := diskfs.Open(path, diskfs.WithOpenMode(diskfs.ReadOnly))
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	table, err := disk.GetPartitionTable()
	if err != nil {
		t.Fatal(err)
	}
	if err := table.(*gpt.Table).Verify(disk.Backend, uint64(disk.Size)); err != nil {
		t.Errorf("go-diskfs: %v", err)
	}
}

// TestLabels asks libblkid, and so what udev would link to.
func TestLabels(t *testing.T) {
	for _, id := range []string{"NIXOS", "nixos-minimal-24.05-x86_64-Linux", "exactly-16-chars"} {
		img := sampleImage(t)
		img.VolumeID = id
		path, _ := writeImage(t, img, streamOf(sampleStream))
		uuids := make(map[string]bool)
		parts := partitions(t, path)
		for _, c := range []struct{ path, label, kind string }{
			{path, id, "iso9660"},
			{parts[0], PartitionVolumeID(id), "iso9660"},
			{parts[1], "EFIBOOT", "vfat"},
		} {
			out := judge.Run(t, "util-linux", "blkid", "-p", "-o", "export", c.path)
			mustContain(t, out, "LABEL="+regexp.QuoteMeta(c.label), "TYPE="+c.kind)
			uuid := regexp.MustCompile(`(?m)^UUID=.*$`).FindString(out)
			if uuids[uuid] {
				t.Errorf("%s is not unique", uuid)
			}
			uuids[uuid] = true
		}
	}
}

// TestOtherReaders reads through the libraries of others.
func TestOtherReaders(t *testing.T) {
	path, _ := writeImage(t, sampleImage(t), streamOf(sampleStream))
	for _, volume := range []string{path, partitions(t, path)[0]} {
		f, err := os.Open(volume)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()

		image, err := iso9660.OpenImage(f)
		if err != nil {
			t.Fatal(err)
		}
		root, err := image.RootDir()
		if err != nil {
			t.Fatal(err)
		}
		children, err := root.GetChildren()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, child := range children {
			if child.Name() != "nix-store.squashfs" {
				continue
			}
			found = true
			if got, err := io.ReadAll(child.Reader()); err != nil || !bytes.Equal(got, sampleStream) {
				t.Errorf("kdomanski/iso9660: stream of %d bytes differs: %v", len(got), err)
			}
		}
		if !found {
			t.Errorf("kdomanski/iso9660: no stream among %d entries", len(children))
		}

		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		fsys, err := iso.Read(file.New(f, true), info.Size(), 0, blockSize)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fsys.ReadFile("nix-store.squashfs")
		if err != nil || !bytes.Equal(got, sampleStream) {
			t.Errorf("go-diskfs: stream of %d bytes differs: %v", len(got), err)
		}
	}
}

// TestLargeStream has a stream of three sections, with holes instead of most
// of it.
func TestLargeStream(t *testing.T) {
	const size = 2*maxExtent + 12345
	mark := func(offset int64) []byte { return fmt.Appendf(nil, "mark at %d", offset) }
	marks := []int64{0, maxExtent - 5, 2*maxExtent - 5, size - 30} // across the sections
	img := sampleImage(t)
	path, result := writeImage(t, img, func(_ context.Context, w io.WriterAt) (int64, error) {
		for _, offset := range marks {
			if _, err := w.WriteAt(mark(offset), offset); err != nil {
				return 0, err
			}
		}
		return size, nil
	})
	if result.StreamSize != size {
		t.Fatalf("Result.StreamSize = %d, want %d", result.StreamSize, int64(size))
	}

	list := judge.Run(t, "xorriso", "xorriso", "-indev", "stdio:"+path, "-find", "/nix-store.squashfs", "-exec", "report_lba")
	for i, bytes := range []int64{maxExtent, maxExtent, size - 2*maxExtent} {
		block := result.StreamOffset/blockSize + int64(i)*maxExtent/blockSize
		mustContain(t, list, fmt.Sprintf(`File data lba: +%d , +%d , +%d , +%d , '/nix-store.squashfs'`, i, block, blocksOf(bytes), int64(size)))
	}
	if out := judge.Run(t, "gdisk", "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk -v:\n%s", out)
	}

	f, v := volumeOf(t, path)
	p := v.Partitions[0]
	for name, r := range map[string]io.ReaderAt{"image": f, "partition": io.NewSectionReader(f, p.Offset, p.Size)} {
		entries, err := ReadTree(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Path != "nix-store.squashfs" {
				continue
			}
			if e.Size != size || len(e.Extents) != 3 {
				t.Fatalf("%s: stream of %d bytes in %d extents", name, e.Size, len(e.Extents))
			}
			for _, offset := range marks {
				got := make([]byte, len(mark(offset)))
				if _, err := r.ReadAt(got, e.Extents[0].Offset+offset); err != nil || !bytes.Equal(got, mark(offset)) {
					t.Errorf("%s: at %d of the stream: %q, %v, want %q", name, offset, got, err, mark(offset))
				}
			}
		}
	}
}
