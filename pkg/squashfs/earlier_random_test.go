package squashfs

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
)

// The cases of TestEarlierAtRandom: go test -run TestEarlierAtRandom -cases 5000 -seed 1
var (
	randomCases = flag.Int("cases", 100, "trees to pack afresh and from earlier images")
	randomSeed  = flag.Uint64("seed", 1, "seed of the first tree")
)

// memoryImage is an image in memory.
type memoryImage struct {
	mu sync.Mutex
	p  []byte
}

func (m *memoryImage) WriteAt(p []byte, offset int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if end := int(offset) + len(p); end > len(m.p) {
		m.p = append(m.p, make([]byte, end-len(m.p))...)
	}
	return copy(m.p[offset:], p), nil
}

// scene is one case: entries on the host that change from one image to the next.
type scene struct {
	random  *rand.Rand
	dir     string
	rules   rules
	codec   string
	opts    Options
	pool    [][]byte             // contents, several of a size
	present map[string]sceneItem // by name in the image
	serial  int
}

// sceneItem is an entry. Its number tells what it holds.
type sceneItem struct {
	path string
	held int
}

// Each case has one of these codecs, with a block size; now and then one of the slow
// ones, which try blocks of 64 KiB and more with a fast one before.
type sceneCodec struct {
	name      string
	blockSize int
}

var (
	fastCodecs = []sceneCodec{{"none", 4 << 10}, {"lz4", 4 << 10}, {"lz4", 8 << 10}, {"lz4:hc", 4 << 10},
		{"gzip:1", 4 << 10}, {"zstd:1", 4 << 10}, {"zstd:3", 16 << 10}}
	slowCodecs = []sceneCodec{{"gzip:12", 64 << 10}, {"zstd:19", 64 << 10}, {"xz:1", 8 << 10}, {"xz:1 -Xbcj x86", 64 << 10}}
)

func newScene(t testing.TB, seed uint64) *scene {
	random := rand.New(rand.NewPCG(seed, 0))
	c := fastCodecs[random.IntN(len(fastCodecs))]
	if random.IntN(25) == 0 {
		c = slowCodecs[random.IntN(len(slowCodecs))]
	}
	between := func(low, high int) int { return low + random.IntN(high-low+1) }
	groupMax := int64(between(8<<10, 64<<10))
	s := &scene{
		random: random,
		dir:    t.TempDir(),
		rules: rules{
			groupMin:      groupMax / 4,
			groupMax:      groupMax,
			crumbMax:      int64(between(100, 3000)),
			crumbGroupMin: groupMax / 16,
			crumbGroupMax: groupMax / 4,
			groupEndOdds:  uint32(between(1, 4)),
			windows:       pack.Limits{WindowBytes: int64(between(4<<10, 64<<10)), WindowFiles: between(2, 12)},
		},
		codec:   fmt.Sprintf("%s -b %d", c.name, c.blockSize),
		opts:    testOptions,
		present: make(map[string]sceneItem),
	}
	s.opts.Codec = newCodec(t, c.name, c.blockSize)
	limits := []int{1, 64, int(s.rules.crumbMax), c.blockSize, 2 * c.blockSize, int(s.rules.windows.WindowBytes), int(s.rules.groupMin), 3*c.blockSize + 100}
	for range between(4, 10) {
		size := max(1, limits[random.IntN(len(limits))]+between(-1, 1))
		for range between(1, 4) {
			s.pool = append(s.pool, s.contents(size, c.blockSize))
		}
	}
	for range between(3, 10) {
		s.add(t)
	}
	return s
}

// contents makes contents that compress well, badly, by a filter for machine code, or
// are all zero in places.
func (s *scene) contents(size, blockSize int) []byte {
	p := make([]byte, size)
	switch s.random.IntN(6) {
	case 0: // zeros
	case 1: // zeros, but for a block
		from := s.random.IntN(size)
		for i := range p[from:min(size, from+blockSize)] {
			p[from+i] = byte(s.random.Uint32())
		}
	case 2: // calls
		for i := range p {
			p[i] = []byte{0xe8, byte(s.random.IntN(4)), byte(i), 0, 0}[i%5]
		}
	case 3: // noise
		for i := range p {
			p[i] = byte(s.random.Uint32())
		}
	default:
		for i := range p {
			p[i] = "abcdefghij"[s.random.IntN(1+s.random.IntN(10))]
		}
	}
	return p
}

// add makes an entry: a folder, or now and then a file or a link itself.
func (s *scene) add(t testing.TB) {
	name := fmt.Sprintf("%08x-%s", s.random.Uint32(), []string{"glibc", "perl", "kernel", "unit", "x"}[s.random.IntN(5)])
	s.fill(t, name)
}

// fill makes what is to be in the image under name.
func (s *scene) fill(t testing.TB, name string) {
	s.serial++
	folder := fmt.Sprintf("%d", s.serial)
	at := folder + "/" + name
	s.present[name] = sceneItem{path: filepath.Join(s.dir, at), held: s.serial}
	files := s.random.IntN(6)
	switch s.random.IntN(8) {
	case 0:
		s.file(t, at)
		return
	case 1:
		link(t, s.dir, at, "nowhere")
		return
	case 2, 3: // more than a window
		files = s.rules.windows.WindowFiles * (1 + s.random.IntN(3))
	}
	if err := os.MkdirAll(filepath.Join(s.dir, at, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		file := at + []string{"/", "/lib/", "/share/doc/"}[s.random.IntN(3)] + fmt.Sprint(s.random.IntN(1000), "-", i) +
			[]string{"", ".so.1", ".txt", ".h"}[s.random.IntN(4)]
		if s.random.IntN(20) == 0 {
			link(t, s.dir, file, "elsewhere")
			continue
		}
		s.file(t, file)
	}
}

func (s *scene) file(t testing.TB, at string) {
	p := s.pool[s.random.IntN(len(s.pool))]
	switch s.random.IntN(6) {
	case 0:
		p = nil
	case 1: // of a size that hardly another has
		p = s.contents(1+s.random.IntN(3000), 4096)
	}
	write(t, s.dir, at, p, 0o644)
	path := filepath.Join(s.dir, at)
	if len(p) > 0 && bytes.Count(p, []byte{0}) == len(p) && s.random.IntN(2) == 0 { // nothing but a hole
		for _, size := range []int64{0, int64(len(p))} {
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
}

// change adds, removes, renames, moves and refills entries.
func (s *scene) change(t testing.TB) {
	for range 1 + s.random.IntN(5) {
		names := slices.Sorted(maps.Keys(s.present))
		if len(names) == 0 {
			s.add(t)
			continue
		}
		name := names[s.random.IntN(len(names))]
		item := s.present[name]
		switch s.random.IntN(6) {
		case 0, 1:
			s.add(t)
		case 2:
			delete(s.present, name)
		case 3: // the same contents under another hash
			delete(s.present, name)
			s.serial++
			s.present[fmt.Sprintf("%08x%s", s.random.Uint32(), name[8:])] = sceneItem{path: item.path, held: s.serial}
		case 4: // another place on the host
			s.serial++
			moved := filepath.Join(s.dir, fmt.Sprint(s.serial), name)
			if err := os.MkdirAll(filepath.Dir(moved), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(item.path, moved); err != nil {
				t.Fatal(err)
			}
			for other, o := range s.present {
				if o.path == item.path {
					s.present[other] = sceneItem{path: moved, held: o.held}
				}
			}
		case 5: // other contents under the same name
			s.fill(t, name)
		}
	}
}

// pack packs the scene with what an image has in which the given entries were.
func (s *scene) pack(t testing.TB, earlier []byte, had map[string]sceneItem, always bool) []byte {
	t.Helper()
	var from *Earlier
	var err error
	if earlier != nil {
		if from, err = OpenEarlier(context.Background(), bytes.NewReader(earlier), int64(len(earlier)), s.opts.Codec, 2); err != nil {
			t.Fatal(err)
		}
	}
	entries := []Entry{{Name: "registration", Data: fmt.Append(nil, s.present)}}
	for name, item := range s.present { // in any order
		_, kin, _ := bytes.Cut([]byte(name), []byte("-"))
		e := Entry{Name: name, Path: item.path, Kin: string(kin)}
		if h, ok := had[name]; ok && h.held == item.held {
			e.Kept = always || s.random.IntN(4) > 0
		}
		entries = append(entries, e)
	}
	tree, err := Scan(context.Background(), entries, nil, from)
	if err != nil {
		t.Fatal(err)
	}
	tree.rules = &s.rules
	opts := s.opts
	opts.Workers = 1 + s.random.IntN(4)
	image := &memoryImage{}
	var w io.WriterAt = image
	if s.random.IntN(8) == 0 {
		f := createImage(t, s.dir)
		defer f.Close()
		w = f
	}
	if _, err := tree.Write(context.Background(), w, opts); err != nil {
		t.Fatal(err)
	}
	if f, ok := w.(*os.File); ok {
		if image.p, err = os.ReadFile(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
	return image.p
}

// TestEarlierAtRandom packs trees afresh and from one, two and three generations of
// earlier images. The bytes must be the same. Limits are small, so that small trees
// go beyond them.
func TestEarlierAtRandom(t *testing.T) {
	cases := *randomCases
	if testing.Short() { // with the race detector, which takes ten times as long
		cases = min(cases, 30)
	}
	for i := range cases {
		seed := *randomSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { packAtRandom(t, seed) })
	}
}

func packAtRandom(t *testing.T, seed uint64) {
	type version struct {
		image   []byte
		present map[string]sceneItem
	}
	s := newScene(t, seed)
	versions := []version{{s.pack(t, nil, nil, true), maps.Clone(s.present)}}
	for generation := 1; generation <= 3; generation++ {
		s.change(t)
		want := s.pack(t, nil, nil, true)
		last := versions[len(versions)-1]
		chained := s.pack(t, last.image, last.present, true)
		older := versions[s.random.IntN(len(versions))]
		damaged := slices.Clone(older.image)
		if at := int(openBytes(t, damaged).data.end) - 1; s.random.IntN(3) == 0 && at > 200 {
			damaged[200+s.random.IntN(at-200)] ^= 1
		}
		for name, got := range map[string][]byte{
			"the image before":                   chained,
			"an older image, not all of it":      s.pack(t, older.image, older.present, false),
			"an older image, damaged":            s.pack(t, damaged, older.present, true),
			"an image of itself, not all of it":  s.pack(t, want, s.present, false),
			"an image of itself, packed from it": s.pack(t, chained, s.present, true),
		} {
			if !bytes.Equal(got, want) {
				t.Errorf("%s, generation %d: other bytes with %s", s.codec, generation, name)
			}
		}
		if err := openBytes(t, want).Check(context.Background()); err != nil {
			t.Errorf("%s, generation %d: %v", s.codec, generation, err)
		}
		versions = append(versions, version{chained, maps.Clone(s.present)})
	}
}
