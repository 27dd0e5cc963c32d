package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// memory is a file in memory.
type memory struct{ bytes.Buffer }

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	if end := int(offset) + len(p); end > m.Len() {
		m.Write(make([]byte, end-m.Len()))
	}
	return copy(m.Bytes()[offset:], p), nil
}

// foreign is an image of another maker, with these files beside a boot loader for BIOSes.
func foreign(t testing.TB, files ...hybridiso.File) []byte {
	t.Helper()
	img := hybridiso.Image{
		VolumeID: "SAMPLE",
		Files:    append(files, hybridiso.File{Path: "isolinux/isolinux.bin", Data: bytes.Repeat([]byte("boot"), 1024)}),
		Boot:     hybridiso.Boot{BIOS: &hybridiso.BIOSBoot{Path: "isolinux/isolinux.bin"}},
	}
	layout, err := img.Layout()
	if err != nil {
		t.Fatal(err)
	}
	var out memory
	if _, err := layout.Write(context.Background(), &out, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// check returns the findings in an image as lines, and the report.
func check(t *testing.T, data []byte, opts Options) (lines []string, r Report) {
	t.Helper()
	m, err := medium.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	opts.Found = func(f Finding) error {
		lines = append(lines, f.String())
		return nil
	}
	if r, err = Verify(context.Background(), m, opts); err != nil {
		t.Fatal(err)
	}
	if r.Findings != len(lines) {
		t.Errorf("%d findings of %d were told", len(lines), r.Findings)
	}
	return lines, r
}

func TestMenus(t *testing.T) {
	menu := hybridiso.File{Path: "isolinux/isolinux.cfg", Data: []byte("LABEL a\nLINUX /vmlinuz\nINITRD /ucode.img,/initrd.img\n")}
	kernel := hybridiso.File{Path: "vmlinuz", Data: []byte("kernel")}
	initrd := hybridiso.File{Path: "initrd.img", Data: []byte("initrd")}
	ucode := hybridiso.File{Path: "ucode.img", Data: []byte("ucode")}
	for name, test := range map[string]struct {
		files []hybridiso.File
		want  []string
	}{
		"all":    {[]hybridiso.File{menu, kernel, initrd, ucode}, nil},
		"kernel": {[]hybridiso.File{menu, initrd, ucode}, []string{"it names vmlinuz, which is not there"}},
		"two":    {[]hybridiso.File{menu, kernel}, []string{"it names ucode.img, which is not there", "it names initrd.img, which is not there"}},
		"empty":  {[]hybridiso.File{menu, kernel, initrd, {Path: "ucode.img"}}, []string{"it names ucode.img, which is empty"}},
	} {
		lines, _ := check(t, foreign(t, test.files...), Options{})
		if len(lines) != len(test.want) {
			t.Errorf("%s: %q, want %q", name, lines, test.want)
			continue
		}
		for i, want := range test.want {
			if !strings.HasPrefix(lines[i], "boot menu at byte ") || !strings.HasSuffix(lines[i], want) {
				t.Errorf("%s: %q, want %q", name, lines[i], want)
			}
		}
	}
}

// TestForeign checks an image with a squashfs by another name, which is damaged.
func TestForeign(t *testing.T) {
	var packed memory
	tree, err := squashfs.Scan(context.Background(), []squashfs.Entry{{Name: "file", Data: bytes.Repeat([]byte("text"), 1<<18)}}, func(fs.FileMode) fs.FileMode { return 0o444 }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Write(context.Background(), &packed, squashfs.Options{}); err != nil {
		t.Fatal(err)
	}
	r, err := squashfs.Open(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	ino, err := r.Lookup("file")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := r.Blocks(ino)
	if err != nil || len(blocks.Data) == 0 {
		t.Fatal(blocks, err)
	}
	image := func(squashfs []byte) []byte {
		return foreign(t, hybridiso.File{Path: "live/filesystem.squashfs", Data: squashfs})
	}
	lines, report := check(t, image(packed.Bytes()), Options{})
	if len(lines) != 0 || len(report.Unproved) != 2 || len(report.Gaps) != 2 {
		t.Errorf("%q, %+v", lines, report)
	}
	damaged := bytes.Clone(packed.Bytes())
	damaged[blocks.Data[0].Offset] ^= 0xff
	lines, _ = check(t, image(damaged), Options{})
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "squashfs data block at byte ") || !strings.Contains(lines[0], `"live/filesystem.squashfs/file"`) {
		t.Errorf("damaged: %q", lines)
	}
}

// TestEnds checks that an error of who is told ends the check, and so does the end of the context.
func TestEnds(t *testing.T) {
	menu := hybridiso.File{Path: "isolinux.cfg", Data: []byte("LABEL a\nLINUX /a\nLABEL b\nLINUX /b\n")}
	data := foreign(t, menu)
	m, err := medium.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	enough, told := errors.New("enough"), 0
	_, err = Verify(context.Background(), m, Options{Found: func(Finding) error { told++; return enough }})
	if !errors.Is(err, enough) || told != 1 {
		t.Errorf("%v after %d findings", err, told)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, m, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestFindingString(t *testing.T) {
	f := Finding{Structure: "store path", Offset: -1, StorePath: "/nix/store/a", File: "b\nc", Err: fmt.Errorf("two\nlines\x1b[2J")}
	if got, want := f.String(), `store path, "/nix/store/a/b\nc": two lines [2J`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// counting is a disk that counts what is read of each MiB, and cannot read some bytes.
type counting struct {
	io.ReaderAt
	reads    atomic.Int64
	bad, end int64
}

func (c *counting) ReadAt(p []byte, offset int64) (int, error) {
	c.reads.Add(1)
	if offset < c.end && offset+int64(len(p)) > c.bad {
		return 0, errors.New("worn out")
	}
	return c.ReaderAt.ReadAt(p, offset)
}

func TestCached(t *testing.T) {
	data := make([]byte, 5*chunkSize+77)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	disk := &counting{ReaderAt: bytes.NewReader(data)}
	r := Cached(disk, int64(len(data)))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if got, err := io.ReadAll(io.NewSectionReader(r, 0, int64(len(data)))); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes that differ, %v", len(got), err)
			}
		})
	}
	group.Wait()
	if n := disk.reads.Load(); n != 6 {
		t.Errorf("%d reads of 6 pieces", n)
	}
	if n, err := r.ReadAt(make([]byte, 10), int64(len(data))-3); n != 3 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}

	// What can be read around a bad sector is.
	disk = &counting{ReaderAt: bytes.NewReader(data), bad: chunkSize + 4096, end: chunkSize + 4608}
	r = Cached(disk, int64(len(data)))
	p := make([]byte, 4096)
	if n, err := r.ReadAt(p, chunkSize); n != len(p) || err != nil || !bytes.Equal(p, data[chunkSize:][:4096]) {
		t.Errorf("before the bad sector: %d, %v", n, err)
	}
	if _, err := r.ReadAt(p, chunkSize+4096); err == nil {
		t.Error("no error in the bad sector")
	}
}
