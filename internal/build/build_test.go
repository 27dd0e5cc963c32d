package build

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// heard keeps what is told.
type heard struct {
	mu     sync.Mutex
	steps  []string // names of tasks as they begin
	facts  []any
	warned []string
	open   int // tasks that have not ended
}

func (h *heard) Send(e progress.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e.Kind {
	case progress.Began:
		h.steps = append(h.steps, e.Name)
		h.open++
	case progress.Ended:
		h.open--
	case progress.Warned:
		h.warned = append(h.warned, e.Err.Error())
	}
	if e.Fact != nil {
		h.facts = append(h.facts, e.Fact)
	}
}

// fact is the one of a type that was told.
func fact[T any](t *testing.T, h *heard) (found T) {
	t.Helper()
	n := 0
	for _, f := range h.facts {
		if f, ok := f.(T); ok {
			found = f
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d facts of type %T were told, want 1: %+v", n, found, h.facts)
	}
	return found
}

// mini is the test flake, which 'make mini' assembles.
func mini(t *testing.T) string {
	t.Helper()
	folder, named := os.LookupEnv("LIVEBUILD_MINI")
	if !named {
		folder = "../../.work/mini"
	}
	_, err := os.Stat(filepath.Join(folder, "flake.nix"))
	switch {
	case err != nil && named:
		t.Fatal(err)
	case err != nil:
		t.Skipf("NOT TESTED: the test flake is not assembled, which 'make mini' does: %v", err)
	}
	copied := filepath.Join(t.TempDir(), "mini") // in a git repository Nix sees only what is tracked
	if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NIX_CONFIG", "experimental-features =\nsubstituters =\nbuild-users-group =")
	return copied
}

// begin begins with the configuration mini.
func begin(t *testing.T, flake, cache string, h *heard, with image.Options) *Build {
	t.Helper()
	of, err := installable.Parse(flake + "#mini")
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(t.Context(), []installable.Installable{of}, Options{Env: os.Environ(), Cache: cache, Sink: h, Image: with})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if h.open != 0 {
			t.Errorf("%d tasks were begun and not ended", h.open)
		}
	})
	return b
}

// memory is a target that keeps the image, and fails where a test wants it to.
type memory struct {
	bytes []byte
	max   int64
	fail  error // before anything is written
}

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	if end := int(offset) + len(p); end > len(m.bytes) {
		m.bytes = append(m.bytes, make([]byte, end-len(m.bytes))...)
	}
	return copy(m.bytes[offset:], p), nil
}

// locked lets several goroutines write.
type locked struct {
	mu sync.Mutex
	*memory
}

func (l *locked) WriteAt(p []byte, offset int64) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.WriteAt(p, offset)
}

func (m *memory) Take(ctx context.Context, p *Packing) (image.Result, error) {
	if m.fail != nil {
		return image.Result{}, m.fail
	}
	m.max = p.MaxSize()
	return p.Write(ctx, &locked{memory: m})
}

// TestPack makes one image in three ways: into memory, into a file, and from that file.
func TestPack(t *testing.T) {
	flake, cache := mini(t), t.TempDir()
	with := image.Options{Compression: &codec.Settings{Name: codec.LZ4}}

	var h heard
	b := begin(t, flake, cache, &h, with)
	if err := b.EvaluateToPack(t.Context()); err != nil {
		t.Fatal(err)
	}
	var m memory
	first, err := b.Pack(t.Context(), &m, PackOptions{Reuse: Reuse{None: true}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"evaluating", "building", "checking", "packing"}; !reflect.DeepEqual(h.steps, want) {
		t.Errorf("the steps are %q, want %q", h.steps, want)
	}
	if got := fact[Evaluated](t, &h); got.Configuration != "mini" || got.VolumeID != "MINI_LIVE" {
		t.Errorf("%+v", got)
	}
	if got := fact[Built](t, &h); got.StorePaths != first.StorePaths || got.StoreBytes != first.StoreBytes || got.StorePaths == 0 {
		t.Errorf("%+v; the result is %+v", got, first)
	}
	if got := fact[Packed](t, &h); got.Size != int64(len(m.bytes)) || got.Size != first.Size || got.Size > m.max || got.Compression != "lz4" {
		t.Errorf("%+v; the image has %d bytes of at most %d", got, len(m.bytes), m.max)
	}

	path := filepath.Join(t.TempDir(), "image.iso")
	for round, reuse := range []Reuse{{None: true}, {}, {Path: path}, {Path: path}} {
		damaged := round == 3 // by whoever does not want it to show
		if damaged {
			damage(t, path)
		}
		var h heard
		b := begin(t, flake, cache, &h, with)
		if err := b.EvaluateToPack(t.Context()); err != nil {
			t.Fatal(err)
		}
		out, err := image.CreateOutput(path, false)
		if err != nil {
			t.Fatal(err)
		}
		file := &File{Output: out}
		packed, err := b.Pack(t.Context(), file, PackOptions{Reuse: reuse, Replaces: path, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := b.Remember(path, packed); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, m.bytes) {
			t.Errorf("round %d: the image has other bytes", round)
		}
		if taken := slices.Contains(h.steps, "reading"); taken != !reuse.None {
			t.Errorf("round %d: the steps are %q", round, h.steps)
		} else if taken {
			if r := fact[Reused](t, &h); r.Path != path || r.Bytes == 0 || r.Bytes > r.Of || r.StorePaths != first.StorePaths || r.Damaged > 0 != damaged {
				t.Errorf("round %d: %+v", round, r)
			}
		}
		if len(file.Sum) != 64 {
			t.Errorf("the sum is %q", file.Sum)
		}
	}
}

// damage changes a byte of the store in an image, and sets the date to what it was.
func damage(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	section, err := medium.FindStore(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	_, start, size := section.Outer()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, start+size/2); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, start+size/2); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// TestPackFails checks that a failure leaves nothing behind, and no task at work.
func TestPackFails(t *testing.T) {
	flake, cache := mini(t), t.TempDir()
	full := errors.New("the target is full")
	var h heard
	b := begin(t, flake, cache, &h, image.Options{})
	if err := b.EvaluateToPack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Pack(t.Context(), &memory{fail: full}, PackOptions{}); !errors.Is(err, full) {
		t.Errorf("the error is %v", err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign.iso")
	if err := os.WriteFile(foreign, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := b.Pack(ctx, &memory{}, PackOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	h = heard{}
	if _, err := b.Pack(t.Context(), &memory{}, PackOptions{Reuse: Reuse{Path: foreign}}); err != nil {
		t.Fatal(err)
	}
	if got := fact[Unfit](t, &h); got.Path != foreign || got.Reason == "" {
		t.Errorf("%+v", got)
	}
	if _, err := b.Pack(t.Context(), &memory{}, PackOptions{Reuse: Reuse{Path: filepath.Join(cache, "absent")}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

// TestMissing asks what is to be built, of a plan alone.
func TestMissing(t *testing.T) {
	var h heard
	b := begin(t, mini(t), t.TempDir(), &h, image.Options{})
	if err := b.Evaluate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Missing(t.Context()); err != nil {
		t.Error(err)
	}
	if by, err := b.Builder(t.Context(), b.Plan().System().BuildPlatform); err != nil || by != nix.ThisMachine {
		t.Errorf("built by %v, %v", by, err)
	}
	if b.Plan().Medium().VolumeID != "MINI_LIVE" || b.Plan().FileName() == "" {
		t.Errorf("%+v", b.Plan())
	}
}
