package device_test

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// TestReplace replaces a part of disks that do not always do what they should: what is there
// afterwards was read back, or there is an error.
func TestReplace(t *testing.T) {
	const size, at = 4 * mib, 64*kib + 512
	stamp := content(100*kib+512, 7)
	for name, test := range map[string]struct {
		fault func(*testdisk.Faulty)
		want  func(error) bool
	}{
		"sound": {func(*testdisk.Faulty) {}, func(err error) bool { return err == nil }},
		"a bit flips": {func(f *testdisk.Faulty) { f.Flip(at + 70*kib) }, func(err error) bool {
			var differs *device.DifferenceError
			return errors.As(err, &differs) && differs.Offset == at+70*kib && differs.Length == 1
		}},
		"a bit of the first block flips": {func(f *testdisk.Faulty) { f.Flip(at + 1) }, func(err error) bool {
			var differs *device.DifferenceError
			return errors.As(err, &differs) && differs.Offset == at+1
		}},
		"it cannot be written": {func(f *testdisk.Faulty) { f.FailWrites(at+60*kib, at+61*kib, syscall.EIO) }, func(err error) bool { return errors.Is(err, syscall.EIO) }},
		"it cannot be read":    {func(f *testdisk.Faulty) { f.FailReads(at+60*kib, at+61*kib) }, func(err error) bool { return errors.Is(err, syscall.EIO) }},
	} {
		t.Run(name, func(t *testing.T) {
			faulty := testdisk.NewFaulty(t, size)
			loop := testdisk.Loop(t, faulty.Path)
			before := content(size, 5)
			poke(t, faulty.Path, 0, string(before))
			dev := openDisk(t, loop)
			test.fault(faulty)
			err := dev.Replace(at, stamp)
			if !test.want(err) {
				t.Errorf("Replace = %v", err)
			}
			faulty.Behave()
			if err := dev.Close(); err != nil {
				t.Fatal(err)
			}
			got := read(t, faulty.Path)
			if err == nil && !bytes.Equal(got[at:at+len(stamp)], stamp) {
				t.Error("what was to be written is not there")
			}
			if !bytes.Equal(got[:at], before[:at]) || !bytes.Equal(got[at+len(stamp):], before[at+len(stamp):]) {
				t.Error("something else is changed")
			}
		})
	}
}
