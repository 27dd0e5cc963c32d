package zstdfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// memory is a file in memory.
type memory struct{ data []byte }

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	if need := int(offset) + len(p); need > len(m.data) {
		m.data = append(m.data, make([]byte, need-len(m.data))...)
	}
	return copy(m.data[offset:], p), nil
}

// content is half noise, half text.
func content(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, size)
	for len(b) < size {
		if r.IntN(2) == 0 {
			b = append(b, bytes.Repeat([]byte(fmt.Sprintf("line %d\n", r.IntN(100))), 100)...)
			continue
		}
		for range 100 {
			b = append(b, byte(r.Uint32()))
		}
	}
	return b[:size]
}

// write writes the content in pieces, the late parts at last and in reverse.
func write(t *testing.T, content []byte, late []Part, workers, piece int) []byte {
	t.Helper()
	var file memory
	z, err := NewWriter(&file, late, workers)
	if err != nil {
		t.Fatal(err)
	}
	put := func(from, to int64) {
		for from < to {
			end := min(from+int64(piece), to)
			if n, err := z.WriteAt(content[from:end], from); err != nil || int64(n) != end-from {
				t.Fatalf("WriteAt(%d bytes, %d) = %d, %v", end-from, from, n, err)
			}
			from = end
		}
	}
	from := int64(0)
	for _, part := range late {
		put(from, part.Offset)
		from = part.end()
	}
	put(from, int64(len(content)))
	for i := len(late) - 1; i >= 0; i-- {
		if _, err := z.WriteAt(content[late[i].Offset:late[i].end()], late[i].Offset); err != nil {
			t.Fatal(err)
		}
	}
	size, err := z.Finish()
	if err != nil || size != int64(len(file.data)) {
		t.Fatalf("Finish = %d, %v, and the file has %d bytes", size, err, len(file.data))
	}
	return file.data
}

// TestWriter has zstd itself read files with late parts in every place.
func TestWriter(t *testing.T) {
	whole := content(3*frameSize + 12345)
	for name, test := range map[string]struct {
		size int
		late []Part
	}{
		"nothing":             {0, nil},
		"byte":                {1, nil},
		"no late part":        {len(whole), nil},
		"one frame":           {frameSize, nil},
		"at the front":        {len(whole), []Part{{0, 40000}}},
		"as in an image":      {len(whole), []Part{{0, 300 << 10}, {1 << 20, 96}}},
		"side by side":        {len(whole), []Part{{0, 10}, {10, 20}, {30, 1}}},
		"at a frame's end":    {len(whole), []Part{{frameSize - 96, 96}, {frameSize, 96}}},
		"across a frame":      {len(whole), []Part{{frameSize - 50, 100}}},
		"at the end":          {len(whole), []Part{{int64(len(whole)) - 7, 7}}},
		"all":                 {1000, []Part{{0, 1000}}},
		"larger than a frame": {len(whole), []Part{{5, frameSize + 100000}}},
	} {
		t.Run(name, func(t *testing.T) {
			want := whole[:test.size]
			file := write(t, want, test.late, 2, 1<<20)
			name := filepath.Join(t.TempDir(), "file.zst")
			if err := os.WriteFile(name, file, 0o644); err != nil {
				t.Fatal(err)
			}
			if got := judge.Run(t, "zstd", "zstd", "-d", "-q", "-c", name); got != string(want) {
				t.Errorf("zstd reads %d other bytes, want %d", len(got), len(want))
			}
			for _, other := range []struct{ workers, piece int }{{1, 777777}, {7, len(whole)}} {
				if again := write(t, want, test.late, other.workers, other.piece); !bytes.Equal(again, file) {
					t.Errorf("%d workers, pieces of %d: other bytes", other.workers, other.piece)
				}
			}
		})
	}
}

// TestCompresses compares the size with what the zstd program makes of the same.
func TestCompresses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	data := content(2 * frameSize)
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	theirs := len(judge.Run(t, "zstd", "zstd", "-q", "-c", name))
	if ours := len(write(t, data, nil, 2, 1<<20)); ours > theirs+theirs/10 {
		t.Errorf("%d bytes, zstd makes %d", ours, theirs)
	}
}

func TestMisuse(t *testing.T) {
	late := []Part{{100, 50}}
	type step struct {
		offset int64
		size   int
	}
	for name, test := range map[string]struct {
		steps []step
		want  string // error of the last step, or of Finish
	}{
		"gap":              {[]step{{0, 10}, {20, 10}}, "writing at 20, where 10 comes next"},
		"back":             {[]step{{0, 10}, {0, 10}}, "writing at 0, where 10 comes next"},
		"into a late part": {[]step{{0, 110}}, "writing at 100, where a late part is"},
		"half a late part": {[]step{{0, 100}, {100, 20}}, "a late part has 50"},
		"no late part":     {[]step{{0, 100}, {150, 1}}, "the late part at 100 was not written"},
		"too short":        {[]step{{0, 10}}, "the content ends at 10"},
	} {
		z, err := NewWriter(&memory{}, late, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range test.steps {
			_, err = z.WriteAt(make([]byte, s.size), s.offset)
		}
		_, closed := z.Finish()
		if all := fmt.Sprint(err, closed); !strings.Contains(all, test.want) {
			t.Errorf("%s: errors are %s, want %q", name, all, test.want)
		}
	}
	for name, parts := range map[string][]Part{"overlap": {{0, 10}, {9, 2}}, "empty": {{0, 0}}, "negative": {{-1, 2}}} {
		if _, err := NewWriter(&memory{}, parts, 1); err == nil {
			t.Errorf("%s: NewWriter gives no error", name)
		}
	}
}

// full fails after some bytes.
type full struct{ left int }

var errFull = errors.New("no room")

func (f *full) WriteAt(p []byte, _ int64) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

var _ io.WriterAt = (*full)(nil)

// TestFullDisk checks that the error of the file comes back, and nothing hangs.
func TestFullDisk(t *testing.T) {
	data := content(8 * frameSize)
	for _, room := range []int{0, 3 << 20, 1 << 30} {
		z, err := NewWriter(&full{room}, []Part{{0, 10}}, 2)
		if err != nil {
			t.Fatal(err)
		}
		for at := int64(10); err == nil && at < int64(len(data)); at += 1 << 20 {
			_, err = z.WriteAt(data[at:min(at+1<<20, int64(len(data)))], at)
		}
		if err == nil {
			_, err = z.WriteAt(data[:10], 0)
		}
		_, closed := z.Finish()
		if got, want := errors.Is(closed, errFull), room < 1<<30; got != want {
			t.Errorf("room for %d bytes: Finish = %v after %v", room, closed, err)
		}
	}
}
