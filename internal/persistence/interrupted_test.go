package persistence_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/persistence"
	"github.com/livebuild/livebuild/internal/testdisk"
	"github.com/livebuild/livebuild/internal/testimage"
)

// write brings an image onto a disk, which keeps what k says.
func write(t testing.TB, path string, image []byte, k persistence.Kept, mode device.Mode) error {
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
	defer dev.Close()
	besides := &device.Besides{Limit: k.Start, Note: k.Note(), Extend: func(head []byte) (first, last []byte, err error) {
		return k.Extend(head, disk.Size)
	}}
	for _, p := range k.Pieces() {
		besides.Fresh = append(besides.Fresh, device.Piece(p))
	}
	transfer, err := device.NewTransfer(t.Context(), []*device.Device{dev}, device.Options{
		Modes: []device.Mode{mode}, Verify: true, Besides: []*device.Besides{besides},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.WriteAt(image, 0); err != nil {
		t.Log(err)
	}
	return transfer.Finish(int64(len(image)))[0].Err
}

// TestInterruption looks at the disk after every single write of an update, as if the machine had
// stopped there: what is kept can be found, and is as it was. At twenty of these points the update
// is begun again.
func TestInterruption(t *testing.T) {
	old := testimage.New(t, testimage.Options{Packages: 6, Boot: map[string]int{"boot/kernel": 1}})
	next := testimage.New(t, testimage.Options{Packages: 7, Boot: map[string]int{"boot/kernel": 2}, Versions: map[int]byte{1: 1, 4: 1}})
	const size = 200 * mib
	faulty := testdisk.NewFaulty(t, size)
	loop := testdisk.Loop(t, faulty.Path)
	p, err := persistence.New(loop, int64(len(old)), size, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t, loop, old, persistence.Kept{Partition: p, Fresh: persistence.Ext4}, device.Full); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(faulty.Path)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := persistence.Locate(bytes.NewReader(before), size); err != nil || k == nil || k.Partition != p {
		t.Fatalf("Locate = %+v, %v", k, err)
	}
	kept := before[p.Start:p.End()]
	if !bytes.Contains(kept[len(kept)-4096:], []byte("ext4\n")) {
		t.Error("the new partition does not say what is to be made of it")
	}
	type state struct {
		offset int64
		data   []byte
	}
	var mu sync.Mutex
	var log []state
	faulty.OnWrite(func(offset int64, data []byte) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, state{offset, bytes.Clone(data)})
	})
	if err := write(t, loop, next, persistence.Kept{Partition: p}, device.Update); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(faulty.Path)
	if err != nil {
		t.Fatal(err)
	}
	if len(log) < 20 {
		t.Fatalf("the update takes %d writes", len(log))
	}
	again := testdisk.Sparse(t, size)
	points := 0
	now := slices.Clone(before)
	for i, s := range log {
		// A write may have come half way.
		for _, part := range []int{len(s.data) / 2 / 512 * 512, len(s.data)} {
			copy(now[s.offset:], s.data[:part])
			if !bytes.Equal(now[p.Start:p.End()], kept) {
				t.Fatalf("write %d of %d, at %d, is into what is kept", i+1, len(log), s.offset)
			}
			if k, err := persistence.Locate(bytes.NewReader(now), size); err != nil || k == nil || *k != (persistence.Kept{Partition: p}) {
				t.Fatalf("after %d bytes of write %d of %d, at %d, Locate = %+v, %v, want %+v", part, i+1, len(log), s.offset, k, err, p)
			}
		}
		if i*20/len(log) < points {
			continue
		}
		points++
		if err := os.WriteFile(again, now, 0); err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint("after write ", i+1), func(t *testing.T) {
			if err := write(t, testdisk.Loop(t, again), next, persistence.Kept{Partition: p}, device.Update); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(again); err != nil || !bytes.Equal(got, want) {
				t.Errorf("begun again, the disk is another one: %v", err)
			}
		})
	}
	if points != 20 {
		t.Errorf("the update was begun again at %d points", points)
	}
}

// TestLimit gives an image that is too large for the disk with what it keeps.
func TestLimit(t *testing.T) {
	image := testimage.New(t, testimage.Options{Packages: 4})
	file := testdisk.Sparse(t, 100*mib)
	p := persistence.Partition{Start: 2 * mib, Size: 90 * mib}
	if err := write(t, testdisk.Loop(t, file), image, persistence.Kept{Partition: p}, device.Full); err == nil {
		t.Error("an image was written over what is kept")
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.Trim(got[p.Start:], "\x00")) > 0 {
		t.Error("what is kept was written to")
	}
}
