package squashfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// findings are all that Findings finds in an image, but for what is wrong.
func findings(t *testing.T, image []byte) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	err := openBytes(t, image).Findings(context.Background(), func(f Finding) error {
		if f.Err == nil || f.Error() == "" {
			t.Errorf("finding %+v does not say what is wrong", f)
		}
		all[fmt.Sprintf("%s at %d, %q and %d others", f.Structure, f.Offset, f.Path, f.Others)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFindings damages several places of an image and wants each named, and
// nothing else.
func TestFindings(t *testing.T) {
	sound := newVictim(t)
	if all := findings(t, sound.image); len(all) != 0 {
		t.Fatalf("findings in an undamaged image: %v", all)
	}
	v := &victim{sound.Reader, t, bytes.Clone(sound.image)}
	other, err := v.Blocks(v.inodeOf("other"))
	mustDo(t, err)
	tail, err := v.Blocks(v.inodeOf("tail"))
	mustDo(t, err)

	change(v, v.place(v.inodeOf("other").file.sizes, 0), func(size *uint32) { *size &^= disk.DataStored })
	change(v, v.fragments.blocks[0]+disk.MetadataHeaderSize, func(e *disk.FragmentEntry) { e.Size &^= disk.DataStored })
	change(v, v.header("link"), func(h *disk.InodeHeader) { h.Type = disk.TypeFIFO })
	change(v, v.body("sub/c"), func(d *disk.DirInode) { d.Parent-- })
	change(v, v.entry("sub/c")+uint64(disk.DirEntrySize), func(c *byte) { *c = '/' })
	change(v, v.place(v.inodeOf("many").dir.indexes, 0), func(x *disk.DirIndex) { x.Index++ })

	want := []string{
		fmt.Sprintf("data block at %d, %q and 0 others", other.Data[0].Offset, "other"),
		fmt.Sprintf("fragment block at %d, %q and 1 others", tail.Fragment.Offset, "tail"),
		fmt.Sprintf("inode at %d, %q and 0 others", v.blockOf(v.inodeOf("link")), "link"),
		fmt.Sprintf("inode at %d, %q and 0 others", v.blockOf(v.inodeOf("sub/c")), "sub/c"),
		fmt.Sprintf("directory at %d, %q and 0 others", v.inodeOf("sub/c").dir.start.block, "sub/c"),
		fmt.Sprintf("directory at %d, %q and 0 others", v.inodeOf("many").dir.start.block, "many"),
	}
	all := findings(t, v.image)
	for _, w := range want {
		if !all[w] {
			t.Errorf("no finding for %s", w)
		}
		delete(all, w)
	}
	for f := range all {
		t.Errorf("further finding: %s", f)
	}

	stop := errors.New("enough")
	calls := 0
	err = openBytes(t, v.image).Findings(context.Background(), func(Finding) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Errorf("Findings = %v after %d calls of a function that wants no more, want its error after one", err, calls)
	}
	var first Finding
	if err := openBytes(t, v.image).Check(context.Background()); !errors.As(err, &first) {
		t.Errorf("Check = %v, want a Finding", err)
	}
}

func TestCheckStops(t *testing.T) {
	v := newVictim(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := v.Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Check with a cancelled context = %v", err)
	}
}

// TestPathTooLong: nested directories could make the paths in an image longer
// than the image by any factor.
func TestPathTooLong(t *testing.T) {
	name := strings.Repeat("n", 200)
	var headers []tar.Header
	for depth := 1; depth <= 25; depth++ {
		headers = append(headers, tar.Header{Typeflag: tar.TypeDir, Name: strings.Repeat(name+"/", depth), Mode: 0o755})
	}
	for program, r := range packTar(t, headers) {
		const want = "4095 are possible"
		if err := r.Walk(func(string, Inode) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Walk = %v, want an error with %q", program, err, want)
		}
		if err := r.Check(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Check = %v, want an error with %q", program, err, want)
		}
	}
}
