package hybridiso

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestLayoutRefuses names every limit.
func TestLayoutRefuses(t *testing.T) {
	valid := func() Image {
		return Image{VolumeID: "V", Time: testTime, Files: []File{
			{Path: "isolinux.bin", Data: make([]byte, 2048)},
			{Path: "efi.img", Data: make([]byte, 4096)},
			{Path: "link", Link: "x"},
		}}
	}
	if _, err := valid().Layout(); err != nil {
		t.Fatalf("the image that the cases change: %v", err)
	}
	manyDirectories := make([]File, maxDirectories)
	for i := range manyDirectories {
		manyDirectories[i] = File{Path: fmt.Sprintf("d%d", i), Dir: true}
	}
	files := func(f ...File) func(*Image) {
		return func(img *Image) { img.Files = append(img.Files, f...) }
	}
	for _, test := range []struct {
		name   string
		change func(*Image)
		want   string
	}{
		{"no volume ID", func(img *Image) { img.VolumeID = "" }, "volume ID is empty"},
		{"long volume ID", func(img *Image) { img.VolumeID = strings.Repeat("v", 33) }, "33 characters, more than 32"},
		{"binary volume ID", func(img *Image) { img.VolumeID = "a\nb" }, "0x0a"},
		{"UTF-8 volume ID", func(img *Image) { img.VolumeID = "é" }, "not printable ASCII"},
		{"volume ID with final space", func(img *Image) { img.VolumeID = "a " }, "ends with a space"},
		{"long system ID", func(img *Image) { img.SystemID = strings.Repeat("v", 33) }, "system ID"},
		{"long publisher", func(img *Image) { img.Publisher = strings.Repeat("v", 129) }, "publisher"},
		{"long preparer", func(img *Image) { img.DataPreparer = strings.Repeat("v", 129) }, "data preparer"},
		{"long application", func(img *Image) { img.Application = strings.Repeat("v", 129) }, "application"},
		{"long volume set ID", func(img *Image) { img.VolumeSetID = strings.Repeat("v", 129) }, "volume set ID"},
		{"early time", func(img *Image) { img.Time = testTime.AddDate(-125, 0, 0) }, "year 1899"},
		{"late time", func(img *Image) { img.Time = testTime.AddDate(132, 0, 0) }, "year 2156"},

		{"empty path", files(File{}), "not clean"},
		{"absolute path", files(File{Path: "/a"}), "not clean"},
		{"final slash", files(File{Path: "a/"}), "not clean"},
		{"parent path", files(File{Path: "a/../b"}), "not clean"},
		{"current path", files(File{Path: "./b"}), "not clean"},
		{"NUL in name", files(File{Path: "a\x00"}), "NUL"},
		{"long name", files(File{Path: strings.Repeat("n", 256)}), "name has 256 bytes, more than 255"},
		{"long path", files(File{Path: strings.Repeat("n/", 2047) + "nn"}), "path has 4096 bytes, more than 4095"},
		{"same path", files(File{Path: "a"}, File{Path: "a", Dir: true}), `"a" is given twice`},
		{"file as directory", files(File{Path: "a"}, File{Path: "a/b"}), `"a" is also the directory`},
		{"link as directory", files(File{Path: "link/b"}), `"link" is also the directory`},
		{"stream as directory", files(File{Path: "a", Stream: true}, File{Path: "a/b/c"}), `"a" is also the directory`},
		{"two kinds", files(File{Path: "a", Dir: true, Link: "b"}), "more than one kind"},
		{"two streams", files(File{Path: "a", Stream: true}, File{Path: "b", Stream: true}), `"a" and "b" are both streams`},
		{"negative size", files(File{Path: "a", Open: opener(nil), Size: -1}), "negative"},
		{"size without content", files(File{Path: "a", Size: 1}), "without Open"},
		{"maximum without stream", files(File{Path: "a", MaxSize: 1}), "no stream"},
		{"long target", files(File{Path: "a", Link: strings.Repeat("t", 4096)}), "link target has 4096 bytes"},
		{"NUL in target", files(File{Path: "a", Link: "\x00"}), "NUL"},
		{"too many directories", files(manyDirectories...), "65536 directories are more than the 65535"},
		{"stream too large", files(File{Path: "a", Stream: true, MaxSize: math.MaxInt64}), "is larger than"},
		{"file too large", files(File{Path: "a", Open: opener(nil), Size: math.MaxInt64}), "is larger than"},
		{"files too large", files(
			File{Path: "a", Open: opener(nil), Size: 6 << 40}, File{Path: "b", Open: opener(nil), Size: 6 << 40},
		), `"b": all up to it are larger`},
		{"image too large", files(File{Path: "a", Stream: true, MaxSize: maxImage - 4096 - 4096}), "image may need"},

		{"missing boot file", func(img *Image) { img.Boot.BIOS = &BIOSBoot{Path: "x"} }, `"x" is not in the volume`},
		{"link as boot file", func(img *Image) { img.Boot.EFI = &EFIBoot{Path: "link"} }, "not a regular file"},
		{"stream as boot file", func(img *Image) {
			img.Files = append(img.Files, File{Path: "s", Stream: true})
			img.Boot.EFI = &EFIBoot{Path: "s"}
		}, "is the stream"},
		{"short boot file", func(img *Image) {
			img.Files[0].Data = make([]byte, 63)
			img.Boot.BIOS = &BIOSBoot{Path: "isolinux.bin"}
		}, "63 bytes"},
		{"long boot code", func(img *Image) {
			img.Boot = Boot{BIOS: &BIOSBoot{Path: "isolinux.bin", MBR: make([]byte, 433)}, Hybrid: true}
		}, "433 bytes, more than 432"},
		{"boot code without tables", func(img *Image) {
			img.Boot = Boot{BIOS: &BIOSBoot{Path: "isolinux.bin", MBR: make([]byte, 432)}}
		}, "needs a hybrid image"},
		{"odd EFI image", func(img *Image) {
			img.Files[1].Data = make([]byte, 513)
			img.Boot.EFI = &EFIBoot{Path: "efi.img"}
		}, "multiple of 512"},
		{"one file for both", func(img *Image) {
			img.Boot = Boot{BIOS: &BIOSBoot{Path: "efi.img"}, EFI: &EFIBoot{Path: "efi.img"}}
		}, "both boot files"},
	} {
		img := valid()
		test.change(&img)
		_, err := img.Layout()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}

func TestLayoutAccepts(t *testing.T) {
	for _, test := range []struct {
		name string
		file File
	}{
		{"name of 255 bytes", File{Path: strings.Repeat("n", 255)}},
		{"path of 4095 bytes", File{Path: strings.Repeat("n/", 2047) + "n"}},
		{"target of 4095 bytes", File{Path: "a", Link: strings.Repeat("t", 4095)}},
		{"stream without bytes", File{Path: "a", Stream: true}},
		{"stream of 4 TiB", File{Path: "a", Stream: true, MaxSize: 4 << 40}},
	} {
		img := Image{VolumeID: strings.Repeat("v", 32), Time: testTime, Files: []File{test.file}, Boot: Boot{Hybrid: true}}
		if _, err := img.Layout(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestRenderIsPure renders the head of one layout, in another order of files,
// and twice.
func TestRenderIsPure(t *testing.T) {
	img := sampleImage(t)
	first, err := img.Layout()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(img.Files), func(i, j int) { img.Files[i], img.Files[j] = img.Files[j], img.Files[i] })
	second, err := img.Layout()
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 1, 5 << 30, 10 << 30} {
		want := string(first.head(first.geometry(size)))
		if string(first.head(first.geometry(size))) != want {
			t.Errorf("head(%d) differs when rendered again", size)
		}
		if string(second.head(second.geometry(size))) != want {
			t.Errorf("head(%d) differs with another order of files", size)
		}
	}
}

// TestDirectoriesFitTheirSpace renders directories whose last records move
// from block to block with the number of the stream's sections.
func TestDirectoriesFitTheirSpace(t *testing.T) {
	for extra := range 60 {
		img := Image{VolumeID: "V", Time: testTime, Files: []File{{Path: "m", Stream: true, MaxSize: 200 << 30}}}
		for i := range extra {
			img.Files = append(img.Files, File{Path: fmt.Sprintf("%c%s", 'a'+i%26, strings.Repeat("x", i))})
		}
		l, err := img.Layout()
		if err != nil {
			t.Fatal(err)
		}
		for size := int64(0); size <= l.maxStream(); size += maxExtent/2 + 1 {
			g := l.geometry(size)
			for _, h := range l.volumes[0].hierarchies() {
				root := h.directories[0]
				if got, most := root.length(g), root.length(l.geometry(l.maxStream())); got > most {
					t.Fatalf("%d files, stream of %d bytes: directory of %d bytes in a space of %d", extra, size, got, most)
				}
			}
		}
	}
}

// TestRecordsStayInTheirBlocks walks every directory and continuation area.
func TestRecordsStayInTheirBlocks(t *testing.T) {
	l, err := sampleImage(t).Layout()
	if err != nil {
		t.Fatal(err)
	}
	g := l.geometry(l.maxStream())
	continued := 0
	for _, v := range l.volumes {
		for _, h := range v.hierarchies() {
			for _, dir := range h.directories {
				content := h.render(dir, g)
				for offset := 0; offset < len(content); {
					length := int(content[offset])
					if length == 0 {
						offset = int(alignUp(int64(offset)+1, blockSize))
						continue
					}
					if offset/blockSize != (offset+length-1)/blockSize || length%2 != 0 {
						t.Fatalf("%q: record of %d bytes at %d", dir.node.path, length, offset)
					}
					offset += length
				}
			}
			for _, use := range h.continuation.uses {
				for _, c := range use.chunks {
					continued++
					if c.offset/blockSize != (c.offset+c.length-1)/blockSize {
						t.Fatalf("continuation of %d bytes at %d", c.length, c.offset)
					}
				}
			}
		}
	}
	if continued == 0 {
		t.Fatal("the sample has no continuations")
	}
}

func TestSize(t *testing.T) {
	img := Image{VolumeID: "V", Time: testTime, Files: []File{
		{Path: "s", Stream: true, MaxSize: 10 << 20},
		{Path: "e", Open: func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }, Size: 1 << 20},
	}}
	img.Boot = Boot{EFI: &EFIBoot{Path: "e"}, Hybrid: true}
	l, err := img.Layout()
	if err != nil {
		t.Fatal(err)
	}
	const mib = 1 << 20
	if got := l.StreamOffset(); got != mib {
		t.Errorf("StreamOffset() = %d, want %d", got, mib)
	}
	for _, test := range []struct{ stream, want int64 }{
		{0, 3 * mib}, {1, 4 * mib}, {mib, 4 * mib}, {mib + 1, 5 * mib},
	} {
		if got := l.Size(test.stream); got != test.want {
			t.Errorf("Size(%d) = %d, want %d", test.stream, got, test.want)
		}
	}
}
