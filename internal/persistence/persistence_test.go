package persistence_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/persistence"
	"github.com/livebuild/livebuild/internal/testimage"
	"github.com/livebuild/livebuild/pkg/gpt"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// head is as much of a disk as is computed.
const head = mib

// extend makes the file of a disk of that size, with an image and a partition behind it.
func extend(t testing.TB, image []byte, disk, size int64) (persistence.Partition, string) {
	t.Helper()
	p, err := persistence.New("the disk", int64(len(image)), disk, size)
	if err != nil {
		t.Fatal(err)
	}
	first, last, err := p.Extend(image[:min(head, len(image))], disk)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, piece := range []persistence.Piece{{Offset: 0, Data: image}, {Offset: 0, Data: first}, {Offset: disk - int64(len(last)), Data: last}} {
		if _, err := f.WriteAt(piece.Data, piece.Offset); err != nil {
			t.Fatal(err)
		}
	}
	return p, path
}

// TestExtend has others judge the tables of sticks, and takes them back to those of the image.
func TestExtend(t *testing.T) {
	image := testimage.New(t, testimage.Options{Packages: 2})
	for name, test := range map[string]struct{ disk, size int64 }{
		"all":                 {8 * gib, 0},
		"a part":              {8 * gib, gib},
		"small":               {256 * mib, 0},
		"of 64 GB":            {64_000_000_000 / 512 * 512, 0},
		"no multiple of 4096": {4*gib + 512, 128 * mib},
		"beyond 2 TiB":        {3 << 40, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, path := extend(t, image, test.disk, test.size)
			if out := judge.Run(t, "gdisk", "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
				t.Errorf("sgdisk: %s", out)
			}
			judge.Run(t, "fdisk", "sfdisk", "--verify", path)
			out := judge.Run(t, "fdisk", "sfdisk", "--dump", path)
			if want := `name="` + persistence.Name + `"`; strings.Count(out, want) != 1 || !strings.Contains(out, p.ID.String()) {
				t.Errorf("sfdisk: %s, want %s and %s", out, want, p.ID)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			s := persistence.Find(f, test.disk)
			if s == nil || s.Partition != p || s.Image != int64(len(image)) {
				t.Fatalf("Find = %+v, want %+v", s, p)
			}
			built := make([]byte, len(image))
			if _, err := s.AsBuilt(f).ReadAt(built, 0); err != nil || !bytes.Equal(built, image) {
				t.Errorf("the image as it was built differs: %v", err)
			}
			// No more than the tables.
			stick := make([]byte, len(image))
			if _, err := f.ReadAt(stick, 0); err != nil || !bytes.Equal(stick[3*512:], image[3*512:]) {
				t.Errorf("more than three sectors are changed: %v", err)
			}
			k, err := persistence.Locate(f, test.disk)
			if err != nil || k == nil || k.Partition != p || k.Fresh != persistence.Ready {
				t.Errorf("Locate = %+v, %v", k, err)
			}
		})
	}
}

// TestNew says where partitions lie.
func TestNew(t *testing.T) {
	for name, test := range map[string]struct {
		image, disk, size  int64
		wantStart, wantEnd int64 // in MiB; 0: a RoomError
	}{
		"room to grow by a quarter":   {8 * gib, 64 * gib, 0, 10 * 1024, 64*1024 - 1},
		"at least by a GiB":           {gib, 64 * gib, 0, 2 * 1024, 64*1024 - 1},
		"no more than a third":        {gib, 2 * gib, 0, 1024 + 344, 2*1024 - 1},
		"a size: at the end":          {gib, 64 * gib, 8 * gib, 56*1024 - 4, 64*1024 - 1},
		"a size too small is made 64": {gib, 64 * gib, 1, 64*1024 - 68, 64*1024 - 1},
		"nothing is free":             {gib, gib + mib, 0, 0, 0},
		"less than is wanted":         {gib, 2 * gib, gib, 0, 0},
		"a disk smaller than that":    {gib, 100 * mib, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := persistence.New("/dev/sdx", test.image, test.disk, test.size)
			var room *persistence.RoomError
			if refused := errors.As(err, &room); refused != (test.wantEnd == 0) {
				t.Fatalf("New = %+v, %v", p, err)
			}
			if err == nil && (p.Start != test.wantStart*mib || p.End() != test.wantEnd*mib) {
				t.Errorf("New = %d to %d MiB, want %d to %d", p.Start/mib, p.End()/mib, test.wantStart, test.wantEnd)
			}
		})
	}
}

// TestExtendRefuses gives tables that cannot be taken back.
func TestExtendRefuses(t *testing.T) {
	image := testimage.New(t, testimage.Options{Packages: 1})
	const disk = gib
	p, err := persistence.New("the disk", int64(len(image)), disk, 0)
	if err != nil {
		t.Fatal(err)
	}
	extended, _, err := p.Extend(image[:head], disk)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "disk")
	change := func(args ...string) []byte {
		if err := os.WriteFile(file, image, 0o600); err != nil {
			t.Fatal(err)
		}
		judge.Run(t, "gdisk", "sgdisk", append(args, file)...)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b[:head]
	}
	for name, test := range map[string]struct {
		head []byte
		want string
	}{
		"nothing":        {make([]byte, head), "no GPT"},
		"cut off":        {image[:1024], "no GPT"},
		"extended":       {extended, "1073741824 bytes"},
		"others' limits": {change("-t", "1:8300", "-h", "1"), "not as livebuild writes"},
	} {
		t.Run(name, func(t *testing.T) {
			var table *persistence.TableError
			if _, _, err := p.Extend(test.head, disk); !errors.As(err, &table) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Extend = %v, want %q", err, test.want)
			}
		})
	}
	if err := p.Check("/dev/sdx", p.Start); err != nil {
		t.Error(err)
	}
	var fit *persistence.FitError
	if err := p.Check("/dev/sdx", p.Start+1); !errors.As(err, &fit) || !strings.Contains(err.Error(), "1 too many") {
		t.Errorf("Check = %v", err)
	}
}

// TestLocate finds the partition in whatever state a writing was left.
func TestLocate(t *testing.T) {
	image := testimage.New(t, testimage.Options{Packages: 1})
	const disk = 512 * mib
	p, path := extend(t, image, disk, 0)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	note := func(k persistence.Kept) []byte {
		return append([]byte("livebuild: this disk was not written to the end.\n"), k.Note()...)
	}
	wiped := bytes.Clone(whole)
	clear(wiped[:head])
	other := bytes.Clone(whole)
	clear(other[:head])
	copy(other, (gpt.MBR{Partitions: [4]gpt.Record{{Type: 0x83, Start: 2048, Sectors: 2048}}}).Bytes())
	noted := make([]byte, disk)
	copy(noted, note(persistence.Kept{Partition: p}))
	fresh := make([]byte, disk)
	copy(fresh, note(persistence.Kept{Partition: p, Fresh: persistence.LUKS}))
	outside := make([]byte, disk)
	copy(outside, note(persistence.Kept{Partition: persistence.Partition{ID: p.ID, Start: p.Start, Size: disk}}))
	both := bytes.Clone(whole) // begun, and the end has still the backup of before
	q := p
	q.Start += 4 * mib
	q.Size -= 4 * mib
	copy(both, append(note(persistence.Kept{Partition: q}), make([]byte, 4000)...))
	for name, test := range map[string]struct {
		disk []byte
		want *persistence.Kept
	}{
		"whole":                   {whole, &persistence.Kept{Partition: p}},
		"the beginning is gone":   {wiped, &persistence.Kept{Partition: p}},
		"others' table since":     {other, nil},
		"a note":                  {noted, &persistence.Kept{Partition: p}},
		"a note of a new one":     {fresh, &persistence.Kept{Partition: p, Fresh: persistence.LUKS}},
		"a note of what is not":   {outside, nil},
		"the note before the end": {both, &persistence.Kept{Partition: q}},
		"nothing":                 {make([]byte, disk), nil},
		"an image alone":          {append(bytes.Clone(image), make([]byte, disk-len(image))...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := persistence.Locate(bytes.NewReader(test.disk), disk)
			if err != nil || (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
				t.Errorf("Locate = %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

// FuzzFind reads disks that begin with anything. What is found is what Extend makes.
func FuzzFind(f *testing.F) {
	image := testimage.New(f, testimage.Options{Packages: 1})
	const disk, known = 256 * mib, 40 << 10
	p, path := extend(f, image, disk, 0)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:known], int64(disk))
	f.Add(append([]byte("livebuild: this disk was not written to the end.\n"), persistence.Kept{Partition: p, Fresh: persistence.Ext4}.Note()...), int64(disk))
	f.Add(image[:known], int64(disk))
	f.Fuzz(func(t *testing.T, start []byte, size int64) {
		if size < 0 || size > 1<<50 {
			return
		}
		r := bytes.NewReader(append(bytes.Clone(start), make([]byte, known)...))
		if s := persistence.Find(r, size); s != nil && (s.Image > size || s.End() > size || s.Start < s.Image) {
			t.Errorf("Find = %+v on a disk of %d bytes", s, size)
		}
		if k, err := persistence.Locate(r, size); err == nil && k != nil && (k.Start < persistence.Ends || k.End() > size-persistence.Ends) {
			t.Errorf("Locate = %+v on a disk of %d bytes", k, size)
		}
	})
}
