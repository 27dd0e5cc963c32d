package squashfs

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

func TestSourceErrors(t *testing.T) {
	for name, test := range map[string]struct {
		path string
		a    Attributes
		want string
	}{
		"slash in a name":    {"a", Attributes{Name: "b/c", Mode: 0o644}, "slash"},
		"no name":            {"a", Attributes{Mode: 0o644}, "not a file name"},
		"unknown type":       {"a", Attributes{Name: "a", Mode: fs.ModeIrregular}, "type"},
		"time before 1970":   {"a", Attributes{Name: "a", ModTime: time.Unix(-1, 0)}, "from 1970 to 2106"},
		"time after 2106":    {"a", Attributes{Name: "a", ModTime: time.Unix(1<<32, 0)}, "from 1970 to 2106"},
		"negative size":      {"a", Attributes{Name: "a", Size: -1}, "size -1"},
		"link to nothing":    {"a", Attributes{Name: "a", Mode: fs.ModeSymlink}, "0 bytes"},
		"link too long":      {"a", Attributes{Name: "a", Mode: fs.ModeSymlink, Target: strings.Repeat("t", 4097)}, "4097 bytes"},
		"foreign namespace":  {"a", Attributes{Name: "a", Xattrs: []Xattr{{"system.posix_acl_access", nil}}}, "namespaces"},
		"attribute too long": {"a", Attributes{Name: "a", Xattrs: []Xattr{{"user.a", make([]byte, 1<<16+1)}}}, "65537 bytes"},
		"no attribute name":  {"a", Attributes{Name: "a", Xattrs: []Xattr{{"user.", nil}}}, "no name"},
		"attribute twice":    {"a", Attributes{Name: "a", Xattrs: []Xattr{{"user.a", nil}, {"user.a", nil}}}, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			s := testSource{".": {Attributes: Attributes{Mode: fs.ModeDir | 0o755}}}
			s["x"] = sourceFile{Attributes: test.a}
			tree, err := NewTree(t.Context(), onlyEntries{s})
			if err == nil {
				_, err = tree.Write(t.Context(), discard{}, Options{})
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
	t.Run("two of one name", func(t *testing.T) {
		s := testSource{".": {Attributes: Attributes{Mode: fs.ModeDir}}, "1": {Attributes: Attributes{Name: "n"}}, "2": {Attributes: Attributes{Name: "n"}}}
		if _, err := NewTree(t.Context(), onlyEntries{s}); err == nil || !strings.Contains(err.Error(), "two entries") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("root is a file", func(t *testing.T) {
		if _, err := NewTree(t.Context(), testSource{}); err == nil {
			t.Error("taken")
		}
	})
	t.Run("shorter and longer than said", func(t *testing.T) {
		for _, said := range []int64{1, 2 << 20, 5 << 20} {
			for _, has := range []int64{said - 1, said + 1} {
				s := testSource{".": {Attributes: Attributes{Mode: fs.ModeDir}}}
				s["f"] = sourceFile{Attributes{Name: "f", Size: said}, strings.Repeat("x", int(has))}
				tree, err := NewTree(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				_, err = tree.Write(t.Context(), discard{}, Options{Codec: newCodec(t, "lz4", 0)})
				if changed, ok := errors.AsType[*ChangedError](err); !ok || changed.Path != "f" || changed.Size != said {
					t.Errorf("%d bytes said, %d there: error %v", said, has, err)
				}
			}
		}
	})
}

// onlyEntries is a testSource whose files are all in the root, whatever their names.
type onlyEntries struct{ testSource }

func (s onlyEntries) ReadDir(string) (list []Attributes, err error) {
	for path, f := range s.testSource {
		if path != "." {
			list = append(list, f.Attributes)
		}
	}
	return list, nil
}
