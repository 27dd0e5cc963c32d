package squashfs

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/judge"
)

// kernelXattrs are the attributes of all files below root as the kernel has them, by
// path and name.
func kernelXattrs(t *testing.T, root string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		names := make([]byte, 64<<10)
		n, err := unix.Llistxattr(path, names)
		if err != nil {
			return fmt.Errorf("listxattr %s: %w", path, err)
		}
		for name := range strings.SplitSeq(string(names[:n]), "\x00") {
			if name == "" {
				continue
			}
			value := make([]byte, 64<<10)
			n, err := unix.Lgetxattr(path, name, value)
			if err != nil {
				return fmt.Errorf("getxattr %s %s: %w", path, name, err)
			}
			all[strings.TrimPrefix(path, root)+" "+name] = string(value[:n])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sourceXattrs are the attributes of a source in the same form.
func sourceXattrs(s testSource) map[string]string {
	all := make(map[string]string)
	for path, f := range s {
		for _, x := range f.Xattrs {
			all["/"+path+" "+x.Name] = string(x.Value)
		}
	}
	return all
}

func compareXattrs(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if value, ok := got[key]; !ok || value != want[key] {
			t.Errorf("%s is %.40q, want %.40q", key, value, want[key])
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("also there: %s", key)
		}
	}
}

func TestXattrs(t *testing.T) {
	s := everything()
	s.add("most", Attributes{Mode: 0o644, Xattrs: []Xattr{{"user.largest", make([]byte, 64<<10)}, {"user." + strings.Repeat("n", 250), nil}}}, "")
	for i := range 3000 { // more than a metadata block of IDs
		s.add(fmt.Sprintf("dir/%d", i), Attributes{Mode: 0o644, Xattrs: []Xattr{{"user.number", fmt.Append(nil, i)}}}, "")
	}
	for _, name := range []string{"none", "zstd:1"} {
		image, _ := writeTree(t, s, Options{Codec: newCodec(t, name, 128<<10)})
		compareXattrs(t, kernelXattrs(t, mountImage(t, image)), sourceXattrs(s))
	}
}

// FromDir has all that the host tells: mksquashfs packs the same.
func TestFromDir(t *testing.T) {
	judge.Root(t)
	dir := oddTree(t)
	mustDo(t, os.Lchown(filepath.Join(dir, "fifo"), 1234, 70000))
	mustDo(t, unix.Lsetxattr(filepath.Join(dir, "code"), "user.test", []byte("some value"), 0))
	mustDo(t, unix.Lsetxattr(filepath.Join(dir, "sizes"), "trusted.test", []byte("of a directory"), 0))
	mustDo(t, unix.Lsetxattr(filepath.Join(dir, "links"), "trusted.empty", nil, 0))
	// An access control list for user 1 (posix_acl_xattr.h), which SquashFS cannot hold.
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, entry := range [][3]uint32{{1, 6, 1<<32 - 1}, {2, 4, 1}, {4, 4, 1<<32 - 1}, {0x10, 4, 1<<32 - 1}, {0x20, 4, 1<<32 - 1}} {
		list = binary.LittleEndian.AppendUint16(list, uint16(entry[0]))
		list = binary.LittleEndian.AppendUint16(list, uint16(entry[1]))
		list = binary.LittleEndian.AppendUint32(list, entry[2])
	}
	if err := unix.Lsetxattr(filepath.Join(dir, "zeros"), "system.posix_acl_access", list, 0); err != nil {
		t.Logf("NOT TESTED: access control lists: %v", err)
	}
	image, _ := writeTree(t, FromDir(dir), Options{})
	other := filepath.Join(t.TempDir(), "image")
	judge.Run(t, "squashfs-tools", "mksquashfs", dir, other, "-quiet", "-no-progress")
	want, got := mountImage(t, other), mountImage(t, image)
	if want, got := describe(t, want), describe(t, got); got != want {
		t.Errorf("%s", firstDifference(got, want))
	}
	mustDo(t, filepath.WalkDir(want, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !sameContents(t, path, got+strings.TrimPrefix(path, want)) {
			t.Errorf("%s has other contents", path)
		}
		return err
	}))
	attributes := kernelXattrs(t, got)
	compareXattrs(t, attributes, kernelXattrs(t, want))
	if len(attributes) != 3 {
		t.Errorf("%d attributes, want 3", len(attributes))
	}
}
