package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/testimage"
	"github.com/livebuild/livebuild/internal/web"
)

var (
	before = testimage.Options{Packages: 12, Boot: map[string]int{"boot/kernel": 1, "boot/initrd": 2}}
	after  = testimage.Options{Packages: 12, Boot: map[string]int{"boot/kernel": 1, "boot/initrd": 3}, Versions: map[int]byte{5: 1}}
)

// host serves an image, as a test wants it.
type host struct {
	data   []byte
	etag   string
	ranges bool
	alter  func(request int, offset int64, p []byte) error // before p, which is at an offset of the image, is sent

	mu       sync.Mutex
	requests int
	sent     atomic.Int64
	url      string
}

func newHost(t *testing.T, data []byte) *host {
	h := &host{data: data, etag: `"1"`, ranges: true}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	h.url = s.URL + "/image.iso"
	return h
}

// set changes what is served from the next request on.
func (h *host) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.requests++
	s := &served{h.data, h.requests, h.alter, &h.sent}
	etag, ranges := h.etag, h.ranges
	h.mu.Unlock()
	if !ranges {
		r.Header.Del("Range")
	}
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	http.ServeContent(w, r, "image.iso", time.Time{}, io.NewSectionReader(s, 0, int64(len(s.data))))
}

// served is the image as one request sees it.
type served struct {
	data    []byte
	request int
	alter   func(request int, offset int64, p []byte) error
	sent    *atomic.Int64
}

func (s *served) ReadAt(p []byte, offset int64) (int, error) {
	n := copy(p, s.data[offset:])
	s.sent.Add(int64(n))
	if s.alter != nil {
		if err := s.alter(s.request, offset, p[:n]); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	return n, nil
}

func (h *host) open(t *testing.T) *web.File {
	t.Helper()
	f, err := web.Open(t.Context(), h.url, web.Options{Idle: 5 * time.Second, Tries: 3, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func seedOf(t *testing.T, image []byte) Seed {
	t.Helper()
	s, err := OpenSeed(t.Context(), "seed", bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fetch(t *testing.T, h *host, path string, seeds ...Seed) (Result, error) {
	t.Helper()
	p, err := OpenPartial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r, err := Image(t.Context(), p, h.open(t), func(context.Context) []Seed { return seeds }, progress.Discard)
	if err != nil {
		return r, err
	}
	return r, p.Commit()
}

func check(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file is not the image: %d bytes of %d, %v", len(got), len(want), err)
	}
	left, _ := filepath.Glob(path + ".*")
	if len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestImage(t *testing.T) {
	old, image := testimage.New(t, before), testimage.New(t, after)
	older := before
	older.NoIndex = true
	late := after
	late.Late = true
	for name, c := range map[string]struct {
		image []byte
		seeds []Seed
		most  int64 // bytes over the wire
	}{
		"nothing here":        {image, nil, int64(len(image)) + 1<<20},
		"the image before":    {image, []Seed{seedOf(t, old)}, int64(len(image)) * 2 / 3},
		"one without index":   {image, []Seed{seedOf(t, testimage.New(t, older))}, int64(len(image)) * 2 / 3},
		"the same":            {image, []Seed{seedOf(t, image)}, 500_000},
		"two that complement": {image, []Seed{seedOf(t, testimage.New(t, testimage.Options{Packages: 3})), seedOf(t, old)}, int64(len(image)) * 2 / 3},
		"what has no sum":     {testimage.New(t, late), []Seed{seedOf(t, testimage.New(t, late))}, 500_000},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, c.image)
			path := filepath.Join(t.TempDir(), "image.iso")
			r, err := fetch(t, h, path, c.seeds...)
			if err != nil {
				t.Fatal(err)
			}
			check(t, path, c.image)
			if h.sent.Load() > c.most || len(c.seeds) > 0 && r.Saved == 0 {
				t.Errorf("%d bytes were sent for %d, at most %d should be; %+v", h.sent.Load(), len(c.image), c.most, r)
			}
		})
	}
}

// TestDamagedSeed takes nothing wrong from a seed that is not what its index says, or changes after it
// was looked at.
func TestDamagedSeed(t *testing.T) {
	old, image := testimage.New(t, before), testimage.New(t, after)
	damaged := bytes.Clone(old)
	for at := 2 << 20; at < len(damaged); at += 3 << 20 {
		damaged[at] ^= 1
	}
	changing := seedOf(t, old)
	changing.ReaderAt = bytes.NewReader(make([]byte, len(old)))
	cut := seedOf(t, old)
	cut.ReaderAt = bytes.NewReader(old[:len(old)/2])
	for name, seed := range map[string]Seed{"damaged": seedOf(t, damaged), "emptied": changing, "cut off": cut} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "image.iso")
			r, err := fetch(t, newHost(t, image), path, seed)
			if err != nil || r.Damaged == 0 {
				t.Errorf("%+v, %v", r, err)
			}
			check(t, path, image)
		})
	}
}

// TestLyingServer gets no byte into the file that is not of the image.
func TestLyingServer(t *testing.T) {
	image := testimage.New(t, after)
	x, err := index.Read(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	flip := func(every bool) func(int, int64, []byte) error {
		var once sync.Once
		return func(_ int, offset int64, p []byte) error {
			at := int64(len(image)/2) - offset
			if at >= 0 && at < int64(len(p)) {
				lie := func() { p[at] ^= 1 }
				if every {
					lie()
				} else {
					once.Do(lie)
				}
			}
			return nil
		}
	}
	t.Run("other bytes", func(t *testing.T) {
		h := newHost(t, image)
		h.alter = flip(true)
		path := filepath.Join(t.TempDir(), "image.iso")
		if _, err := fetch(t, h, path); !is[*CorruptError](err) {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the file appeared")
		}
		// The next try takes what was right.
		h.set(func() { h.alter = nil })
		h.sent.Store(0)
		if _, err := fetch(t, h, path); err != nil || h.sent.Load() > int64(len(image))/2 {
			t.Errorf("%v; %d bytes were sent again of %d", err, h.sent.Load(), len(image))
		}
		check(t, path, image)
	})
	t.Run("other bytes once", func(t *testing.T) {
		h := newHost(t, image)
		h.alter = flip(false)
		path := filepath.Join(t.TempDir(), "image.iso")
		if _, err := fetch(t, h, path); err != nil {
			t.Error(err)
		}
		check(t, path, image)
	})
	t.Run("another image meanwhile", func(t *testing.T) {
		h := newHost(t, image)
		h.alter = func(request int, _ int64, _ []byte) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if request > 3 {
				h.etag = `"2"`
			}
			return nil
		}
		if _, err := fetch(t, h, filepath.Join(t.TempDir(), "image.iso")); !is[*web.ChangedError](err) {
			t.Errorf("%v", err)
		}
	})
	t.Run("an index that lies", func(t *testing.T) {
		// It is not used: the image is downloaded as a whole.
		forged := bytes.Clone(image)
		forged[x.At.Offset+80]++
		path := filepath.Join(t.TempDir(), "image.iso")
		if _, err := fetch(t, newHost(t, forged), path, seedOf(t, image)); err != nil {
			t.Error(err)
		}
		check(t, path, forged)
	})
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestInterrupted breaks off at many points, and goes on.
func TestInterrupted(t *testing.T) {
	image := testimage.New(t, after)
	older := after
	older.NoIndex = true
	for name, c := range map[string]struct {
		image []byte
		most  int64 // that is sent again
	}{"pieces": {image, 50 << 20}, "plain": {testimage.New(t, older), 50 << 20}} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, c.image)
			path := filepath.Join(t.TempDir(), "image.iso")
			r := rand.New(rand.NewPCG(1, 2))
			broken := 0
			for range 12 {
				left := atomic.Int64{}
				left.Store(200_000 + r.Int64N(4<<20))
				h.set(func() {
					h.alter = func(_ int, _ int64, p []byte) error {
						if left.Add(-int64(len(p))) < 0 {
							return errors.New("cut")
						}
						return nil
					}
				})
				if _, err := fetch(t, h, path); err == nil {
					break
				}
				broken++
				if _, err := os.Stat(path); err == nil {
					t.Fatal("the file appeared")
				}
			}
			h.set(func() { h.alter = nil })
			if _, err := os.Stat(path); err != nil {
				if _, err := fetch(t, h, path); err != nil {
					t.Fatal(err)
				}
			}
			check(t, path, c.image)
			if broken < 2 {
				t.Errorf("it broke %d times", broken)
			}
		})
	}
}

// TestPlain goes on where it was, if that is of the same file.
func TestPlain(t *testing.T) {
	older := after
	older.NoIndex = true
	image := testimage.New(t, older)
	half := int64(len(image) / 2)
	begin := func(t *testing.T, h *host, path string) {
		t.Helper()
		h.alter = func(_ int, offset int64, _ []byte) error {
			if offset > half && offset < half*3/2 { // behind that are tables
				return errors.New("cut")
			}
			return nil
		}
		if _, err := fetch(t, h, path); err == nil {
			t.Fatal("it did not break")
		}
		h.set(func() { h.alter = nil })
		h.sent.Store(0)
	}
	t.Run("the same", func(t *testing.T) {
		h, path := newHost(t, image), filepath.Join(t.TempDir(), "image.iso")
		begin(t, h, path)
		r, err := fetch(t, h, path)
		if err != nil || r.Kept < half/2 || h.sent.Load() > half*3/2+1<<20 {
			t.Errorf("%+v, %v, %d bytes were sent", r, err, h.sent.Load())
		}
		check(t, path, image)
	})
	t.Run("another", func(t *testing.T) {
		h, path := newHost(t, image), filepath.Join(t.TempDir(), "image.iso")
		begin(t, h, path)
		other := bytes.Clone(image)
		other[1000]++
		h.set(func() { h.data, h.etag = other, `"2"` })
		if r, err := fetch(t, h, path); err != nil || r.Kept != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		check(t, path, other)
	})
	t.Run("one that nothing is known of", func(t *testing.T) {
		h, path := newHost(t, image), filepath.Join(t.TempDir(), "image.iso")
		h.etag = ""
		begin(t, h, path)
		if r, err := fetch(t, h, path); err != nil || r.Kept != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		check(t, path, image)
	})
	t.Run("no parts", func(t *testing.T) {
		indexed := testimage.New(t, after)
		h, path := newHost(t, indexed), filepath.Join(t.TempDir(), "image.iso")
		h.ranges = false
		if _, err := fetch(t, h, path, seedOf(t, indexed)); err != nil {
			t.Error(err)
		}
		check(t, path, indexed)
	})
}

func TestPartial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.iso")
	p, err := OpenPartial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := OpenPartial(path); !is[*BusyError](err) {
		t.Errorf("a second one: %v", err)
	}
	if err := p.Reserve(1 << 50); !is[*FullError](err) {
		t.Errorf("more room than there is: %v", err)
	}
	link := filepath.Join(t.TempDir(), "image.iso")
	if err := os.Symlink("/etc/passwd", link+extension); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPartial(link); err == nil {
		t.Error("a link is followed")
	}
	if err := p.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + extension); err == nil {
		t.Error("it is still there")
	}
}

// TestStale puts an image together over the remains of another.
func TestStale(t *testing.T) {
	image := testimage.New(t, after)
	path := filepath.Join(t.TempDir(), "image.iso")
	junk := bytes.Repeat([]byte("junk"), len(image)/2)
	copy(junk, testimage.New(t, before))
	if err := os.WriteFile(path+extension, junk, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := fetch(t, newHost(t, image), path)
	if err != nil || r.Kept == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	check(t, path, image)
}

// TestFullDisk passes on that a file takes no more.
func TestFullDisk(t *testing.T) {
	image := testimage.New(t, after)
	x, err := index.Read(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	for _, seeds := range [][]Seed{nil, {seedOf(t, image)}} {
		_, err := NewPlan(x, seeds).Write(t.Context(), &small{left: 1 << 20, err: full}, sectionSource(image), Options{})
		if !errors.Is(err, full) {
			t.Errorf("the error is %v", err)
		}
	}
}

// small is a file that takes a little.
type small struct {
	mu   sync.Mutex
	left int
	err  error
}

func (s *small) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

func (s *small) WriteAt(p []byte, _ int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left -= len(p); s.left < 0 {
		return 0, s.err
	}
	return len(p), nil
}

// sectionSource gives parts of what it has.
type sectionSource []byte

func (s sectionSource) Fetch(_ context.Context, offset, size int64, w io.Writer) error {
	_, err := w.Write(s[offset : offset+size])
	return err
}

func (s sectionSource) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(s).ReadAt(p, offset)
}

// TestPart reads what was wanted, and nothing of what was not.
func TestPart(t *testing.T) {
	image := testimage.New(t, after)
	x, err := index.Read(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	scratch, err := os.Create(filepath.Join(t.TempDir(), "scratch"))
	if err != nil {
		t.Fatal(err)
	}
	defer scratch.Close()
	wanted := func(p index.Piece) bool { return p.Offset%(128<<10) == 0 }
	p := NewPart(sectionSource(image), int64(len(image)), scratch)
	defer p.Close()
	buffer := make([]byte, 100)
	if _, err := p.ReadAt(buffer, 5000); err != nil || !bytes.Equal(buffer, image[5000:5100]) {
		t.Errorf("before anything is wanted: %v", err)
	}
	p.Want(t.Context(), x.Pieces, wanted)
	for _, piece := range x.Pieces {
		got := make([]byte, piece.Size)
		n, err := p.ReadAt(got, piece.Offset)
		switch {
		case wanted(piece) && (err != nil || !bytes.Equal(got, image[piece.Offset:piece.End()])):
			t.Errorf("%d bytes at %d were wanted: %v", piece.Size, piece.Offset, err)
		case !wanted(piece) && (n != 0 || !errors.Is(err, errLeft)):
			t.Errorf("%d bytes at %d were not wanted: %d, %v", piece.Size, piece.Offset, n, err)
		}
	}
	if p.Failed() != nil || p.Fetched() == 0 {
		t.Errorf("%v, %d", p.Failed(), p.Fetched())
	}

	broken := NewPart(failing{sectionSource(image)}, int64(len(image)), scratch)
	defer broken.Close()
	broken.Want(t.Context(), x.Pieces, wanted)
	for _, piece := range x.Pieces {
		if _, err := broken.ReadAt(buffer, piece.Offset); wanted(piece) && (err == nil || !strings.Contains(err.Error(), "cut")) {
			t.Errorf("%d bytes at %d of a wire that is cut: %v", piece.Size, piece.Offset, err)
		}
	}
	if broken.Failed() == nil {
		t.Error("nothing failed")
	}
}

type failing struct{ sectionSource }

func (failing) Fetch(context.Context, int64, int64, io.Writer) error { return fmt.Errorf("cut") }
