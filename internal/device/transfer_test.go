package device_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/testdisk"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// content is an image of that many bytes, of which none is like another.
func content(size int64, seed byte) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func openDisk(t testing.TB, path string) *device.Device {
	t.Helper()
	host := device.Local()
	disk, err := host.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := device.Open(host, disk)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// job is a transfer of an image.
type job struct {
	image  []byte
	mode   device.Mode
	opts   device.Options
	pieces []int // sizes of the WriteAt calls, again and again; nil for one
	order  func(n int) []int
}

// run does the transfer to the disks.
func (j job) run(t testing.TB, paths ...string) []device.Result {
	t.Helper()
	var devices []*device.Device
	for _, p := range paths {
		devices = append(devices, openDisk(t, p))
		j.opts.Modes = append(j.opts.Modes, j.mode)
	}
	transfer, err := device.NewTransfer(t.Context(), devices, j.opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.feed(transfer); err != nil {
		t.Logf("feeding: %v", err)
	}
	results := transfer.Finish(int64(len(j.image)))
	for i, dev := range devices {
		var stalled *device.StalledError
		if errors.As(results[i].Err, &stalled) {
			t.Cleanup(func() { dev.Close() })
			continue
		}
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	}
	return results
}

func (j job) feed(transfer *device.Transfer) error {
	type piece struct{ start, end int }
	var pieces []piece
	for at, i := 0, 0; at < len(j.image); i++ {
		n := len(j.image)
		if j.pieces != nil {
			n = j.pieces[i%len(j.pieces)]
		}
		end := min(at+n, len(j.image))
		pieces = append(pieces, piece{at, end})
		at = end
	}
	order := make([]int, len(pieces))
	for i := range order {
		order[i] = i
	}
	if j.order != nil {
		order = j.order(len(pieces))
	}
	for _, i := range order {
		p := pieces[i]
		if _, err := transfer.WriteAt(j.image[p.start:p.end], int64(p.start)); err != nil {
			return err
		}
	}
	return nil
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkDisk checks that a disk begins with the image and ends with zeros.
func checkDisk(t testing.TB, file string, image []byte) {
	t.Helper()
	disk := read(t, file)
	if !bytes.HasPrefix(disk, image) {
		for i := range image {
			if i >= len(disk) || disk[i] != image[i] {
				t.Fatalf("the disk differs at byte %d", i)
			}
		}
	}
	tail := disk[max(len(image), len(disk)-mib):]
	if len(bytes.Trim(tail, "\x00")) > 0 {
		t.Error("the last MiB of the disk is not zero behind the image")
	}
}

// TestTransfer writes images of all sizes to disks of all sizes.
func TestTransfer(t *testing.T) {
	tests := map[string]struct {
		disk   int64
		image  int64
		sector string
		pieces []int
		order  func(int) []int
	}{
		"plain":                  {disk: 40 * mib, image: 20 * mib},
		"as large as the disk":   {disk: 24 * mib, image: 24 * mib},
		"a chunk":                {disk: 8 * mib, image: 4 * mib},
		"a chunk and a byte":     {disk: 9 * mib, image: 4*mib + 1},
		"less than a sector":     {disk: 8 * mib, image: 100},
		"less than the head":     {disk: 8 * mib, image: 300*kib + 17},
		"small disk":             {disk: 1536 * kib, image: 1536 * kib},
		"disk below a MiB":       {disk: 512 * kib, image: 400 * kib},
		"odd end":                {disk: 16*mib + 512, image: 16*mib + 512},
		"odd end, image shorter": {disk: 16*mib + 512, image: 16*mib + 1},
		"into the tail":          {disk: 16 * mib, image: 15*mib + 300*kib},
		"sectors of 4096":        {disk: 40 * mib, image: 20*mib + 2048, sector: "4096"},
		"small pieces":           {disk: 40 * mib, image: 13*mib + 5, pieces: []int{1, 4095, 70000, 131072, 3, 999999}},
		"backwards":              {disk: 40 * mib, image: 13*mib + 5, pieces: []int{100000, 77}, order: backwards},
		"in any order":           {disk: 40 * mib, image: 21 * mib, pieces: []int{65536, 100, 5000}, order: shuffled},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := testdisk.Sparse(t, test.disk)
			if err := os.WriteFile(file, bytes.Repeat([]byte{0xA5}, int(test.disk)), 0); err != nil {
				t.Fatal(err)
			}
			var args []string
			if test.sector != "" {
				args = []string{"--sector-size", test.sector}
			}
			loop := testdisk.Loop(t, file, args...)
			image := content(test.image, 1)
			j := job{image: image, pieces: test.pieces, order: test.order, opts: device.Options{Verify: true, Sum: true, Size: test.image}}
			r := j.run(t, loop)[0]
			if r.Err != nil || !r.Verified || r.Written != test.image || r.Equal != 0 {
				t.Fatalf("result %+v, want %d bytes written and verified", r, test.image)
			}
			if want := sha256.Sum256(image); r.SHA256 != hex.EncodeToString(want[:]) {
				t.Errorf("SHA-256 %s, want %x", r.SHA256, want)
			}
			checkDisk(t, file, image)

			j.mode = device.Update
			if r := j.run(t, loop)[0]; r.Err != nil || !r.Verified || r.Written != 0 || r.Equal != test.image {
				t.Errorf("the same again: %+v, want %d equal bytes", r, test.image)
			}
			checkDisk(t, file, image)
		})
	}
}

func backwards(n int) []int {
	order := shuffled(n)
	slices.Sort(order)
	slices.Reverse(order)
	return order
}

func shuffled(n int) []int { return rand.New(rand.NewPCG(1, 2)).Perm(n) }

// TestUpdate changes a little of an image.
func TestUpdate(t *testing.T) {
	const size = 24 * mib
	for name, test := range map[string]struct {
		change  []int64 // bytes that differ in the new image
		grow    int64
		written int64
	}{
		"a byte":            {change: []int64{10 * mib}, written: mib + 64*kib}, // with the head
		"two neighbours":    {change: []int64{10 * mib, 10*mib + 64*kib}, written: mib + 128*kib},
		"across a chunk":    {change: []int64{8*mib - 1, 8 * mib}, written: mib + 128*kib},
		"in the head alone": {change: []int64{100}, written: mib},
		"longer":            {grow: 64 * kib, written: mib + 64*kib},
		"shorter":           {grow: -64 * kib},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := testdisk.Sparse(t, 40*mib)
			loop := testdisk.Loop(t, file)
			all := content(size+mib, 2)
			old := all[:size]
			if r := (job{image: old, opts: device.Options{Verify: true}}).run(t, loop)[0]; r.Err != nil {
				t.Fatal(r.Err)
			}
			image := slices.Clone(all[:size+test.grow])
			for _, at := range test.change {
				image[at] ^= 1
			}
			r := job{image: image, mode: device.Update, opts: device.Options{Verify: true}}.run(t, loop)[0]
			if r.Err != nil || r.Written != test.written || r.Written+r.Equal != int64(len(image)) {
				t.Errorf("%+v, want %d bytes of %d written", r, test.written, len(image))
			}
			if got := read(t, file)[:len(image)]; !bytes.Equal(got, image) {
				t.Error("the disk does not hold the new image")
			}
		})
	}
}

// poke changes some bytes of a file.
func poke(t testing.TB, path string, offset int64, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(text), offset); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// state is a disk after some of the writes to it.
type state struct {
	offset int64
	data   []byte
}

// TestInterruption looks at the disk after every single write: it holds the
// whole image, old or new, or looks empty. Its old end has a backup of a GPT,
// which firmware would restore.
func TestInterruption(t *testing.T) {
	const size, diskSize = 10 * mib, 12 * mib
	for _, mode := range []device.Mode{device.Full, device.Update} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			t.Parallel()
			faulty := testdisk.NewFaulty(t, diskSize)
			loop := testdisk.Loop(t, faulty.Path)
			old := content(size, 3)
			if r := (job{image: old, opts: device.Options{Verify: true}}).run(t, loop)[0]; r.Err != nil {
				t.Fatal(r.Err)
			}
			now := read(t, faulty.Path)
			copy(now[diskSize-512:], "EFI PART")
			poke(t, faulty.Path, diskSize-512, "EFI PART")
			var mu sync.Mutex
			var log []state
			faulty.OnWrite(func(offset int64, data []byte) {
				mu.Lock()
				defer mu.Unlock()
				log = append(log, state{offset, bytes.Clone(data)})
			})
			image := slices.Clone(old)
			for _, at := range []int{500, 3 * mib, 9 * mib} {
				image[at] ^= 1
			}
			if r := (job{image: image, mode: mode, opts: device.Options{Verify: true}}).run(t, loop)[0]; r.Err != nil {
				t.Fatal(r.Err)
			}
			empty, whole := 0, 0
			for i, s := range log {
				copy(now[s.offset:], s.data)
				head := now[:mib]
				switch {
				case bytes.HasPrefix(now, image):
					whole++
				case bytes.HasPrefix(now, old):
				case bytes.HasPrefix(head, []byte("livebuild: this disk was not written to the end.\n")) && len(bytes.Trim(head[512:], "\x00")) == 0:
					empty++
				case bytes.Equal(now[mib:size], image[mib:]): // only the head is missing, and under way
				case bytes.Equal(now[mib:size], old[mib:]): // the head is going
				default:
					t.Fatalf("after write %d of %d, at %d, the disk is neither empty nor whole", i+1, len(log), s.offset)
				}
				if empty > 0 && bytes.HasPrefix(now[diskSize-512:], []byte("EFI PART")) {
					t.Fatalf("after write %d the backup GPT is still there", i+1)
				}
			}
			if empty == 0 || whole == 0 {
				t.Errorf("of %d states %d were empty and %d whole, want some of each", len(log), empty, whole)
			}
		})
	}
}

// TestUnfinished interrupts a transfer and does it again: what was written is
// kept.
func TestUnfinished(t *testing.T) {
	file := testdisk.Sparse(t, 40*mib)
	loop := testdisk.Loop(t, file)
	image := content(32*mib, 4)
	dev := openDisk(t, loop)
	if device.Unfinished(dev) {
		t.Error("an empty disk counts as unfinished")
	}
	ctx, cancel := context.WithCancel(t.Context())
	taken := make(chan int64, 1000)
	transfer, err := device.NewTransfer(ctx, []*device.Device{dev}, device.Options{
		Modes:    []device.Mode{device.Full},
		Progress: func(_ int, p device.Progress) { taken <- p.Done },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.WriteAt(image[:20*mib], 0); err != nil {
		t.Fatal(err)
	}
	for done := int64(0); done < 20*mib; {
		done = <-taken
	}
	cancel()
	if r := transfer.Abort(errors.New("unplugged")); r[0].Err == nil {
		t.Error("an interrupted transfer has no error")
	}
	if !device.Unfinished(dev) {
		t.Error("the disk does not count as unfinished")
	}
	if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
	r := job{image: image, mode: device.Update, opts: device.Options{Verify: true}}.run(t, loop)[0]
	if r.Err != nil || r.Equal != 19*mib || r.Written != 13*mib { // without the head
		t.Errorf("%+v, want 19 MiB kept and 13 MiB written", r)
	}
	checkDisk(t, file, image)
}

// TestFaults writes to three disks at once, of which the one in the middle is
// bad: it gets the right verdict, and the others are written.
func TestFaults(t *testing.T) {
	const size, diskSize = 24 * mib, 32 * mib
	image := content(size, 5)
	for name, test := range map[string]struct {
		fault func(*testdisk.Faulty)
		opts  device.Options
		check func(t *testing.T, err error)
	}{
		"bad blocks": {fault: func(f *testdisk.Faulty) { f.FailWrites(9*mib+64*kib, 14*mib, syscall.EIO) },
			check: wantIO("writing", 9*mib+64*kib, syscall.EIO)},
		"full": {fault: func(f *testdisk.Faulty) { f.FailWrites(12*mib, 20*mib, syscall.ENOSPC) },
			check: wantIO("writing", 12*mib, syscall.ENOSPC)},
		"unreadable": {fault: func(f *testdisk.Faulty) { f.FailReads(17*mib+5, 17*mib+6) },
			check: wantIO("reading", 17*mib, syscall.EIO)},
		"flipped bit": {fault: func(f *testdisk.Faulty) { f.Flip(14*mib + 12345) },
			check: wantDifference(14*mib+12345/4096*4096, 4096)},
		"flipped bit, source at hand": {fault: func(f *testdisk.Faulty) { f.Flip(14*mib + 12345) }, opts: device.Options{Source: bytes.NewReader(image)},
			check: wantDifference(14*mib+12345, 1)},
		"flipped bit in the head": {fault: func(f *testdisk.Faulty) { f.Flip(33000) },
			check: wantDifference(33000, 1)},
		"counterfeit": {fault: func(f *testdisk.Faulty) { f.Pretend(16 * mib) },
			check: wantDifference(mib, 4096)},
		"silent": {fault: func(f *testdisk.Faulty) {
			var once sync.Once
			f.OnWrite(func(offset int64, _ []byte) {
				if offset > 8*mib && offset < size {
					once.Do(f.Stall)
				}
			})
		}, opts: device.Options{Stall: 8 * time.Second}, check: func(t *testing.T, err error) {
			var stalled *device.StalledError
			if !errors.As(err, &stalled) || stalled.Offset < mib || stalled.Offset > size {
				t.Errorf("error %v, want one of a device that does not answer", err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulty := testdisk.NewFaulty(t, diskSize)
			files := []string{testdisk.Sparse(t, diskSize), faulty.Path, testdisk.Sparse(t, diskSize)}
			var loops []string
			for _, f := range files {
				loops = append(loops, testdisk.Loop(t, f))
			}
			test.fault(faulty)
			test.opts.Verify = true
			results := job{image: image, opts: test.opts, pieces: []int{mib}}.run(t, loops...)
			for _, i := range []int{0, 2} {
				if r := results[i]; r.Err != nil || !r.Verified || r.Written != size {
					t.Errorf("disk %d: %+v, want it written and verified", i, r)
				}
				checkDisk(t, files[i], image)
			}
			if results[1].Err == nil {
				t.Fatal("the bad disk passed")
			}
			test.check(t, results[1].Err)
			faulty.Behave()
			if name == "silent" { // whatever it does with its last write
				return
			}
			if !bytes.HasPrefix(read(t, faulty.Path), []byte("livebuild: this disk was not written to the end.\n")) {
				t.Error("the bad disk does not look unfinished")
			}
		})
	}
}

func wantIO(op string, offset int64, cause error) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		var failed *device.IOError
		if !errors.As(err, &failed) || failed.Op != op || failed.Offset != offset || !errors.Is(err, cause) {
			t.Errorf("error %v, want one of %s at %d: %v", err, op, offset, cause)
		}
	}
}

func wantDifference(offset, length int64) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		var differs *device.DifferenceError
		if !errors.As(err, &differs) || differs.Offset != offset || differs.Length != length {
			t.Errorf("error %v, want a difference at %d, known to %d bytes", err, offset, length)
		}
	}
}

// TestCompare writes nothing.
func TestCompare(t *testing.T) {
	file := testdisk.Sparse(t, 12*mib)
	loop := testdisk.Loop(t, file)
	image := content(9*mib+100, 6)
	if err := os.WriteFile(file, append(bytes.Clone(image), make([]byte, 3*mib-100)...), 0); err != nil {
		t.Fatal(err)
	}
	before := read(t, file)
	if r := (job{image: image, mode: device.Compare}).run(t, loop)[0]; r.Err != nil || !r.Verified {
		t.Errorf("equal: %+v", r)
	}
	for _, at := range []int64{0, 5*mib + 77, int64(len(image)) - 1} {
		other := bytes.Clone(image)
		other[at]++
		wantDifference(at, 1)(t, job{image: other, mode: device.Compare}.run(t, loop)[0].Err)
	}
	if !bytes.Equal(read(t, file), before) {
		t.Error("comparing wrote to the disk")
	}
}

// TestTooLong lets an image of unknown size outgrow a disk.
func TestTooLong(t *testing.T) {
	loop := testdisk.Loop(t, testdisk.Sparse(t, 6*mib))
	r := job{image: content(7*mib, 7), pieces: []int{mib}}.run(t, loop)[0]
	var tooSmall *device.TooSmallError
	if !errors.As(r.Err, &tooSmall) {
		t.Errorf("error %v, want one of a disk too small", r.Err)
	}
}

// TestStale checks with other programs that nothing of what a disk held
// remains.
func TestStale(t *testing.T) {
	file := testdisk.Sparse(t, 64*mib)
	judge.Run(t, "gdisk", "sgdisk", "--new=1:2048:+10M", "--new=2:0:0", file)
	loop := testdisk.Loop(t, file)
	image := make([]byte, 8*mib) // no table, so that only an old one could be found
	if r := (job{image: image, opts: device.Options{Verify: true}}).run(t, loop)[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	if out := judge.Run(t, "gdisk", "sgdisk", "--print", file); strings.Contains(out, "GPT: present") || strings.Contains(out, "damaged") || strings.Contains(out, "main partition table overlaps") {
		t.Errorf("sgdisk finds\n%s", out)
	}
	if out := judge.Run(t, "util-linux", "wipefs", "--noheadings", file); out != "" {
		t.Errorf("wipefs finds\n%s", out)
	}
}
