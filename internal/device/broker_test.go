package device_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// brokerCommand runs TestBrokerProcess of these tests as a broker.
var brokerCommand = []string{os.Args[0], "-test.run=^TestBrokerProcess$", "--"}

// TestBrokerProcess is no test by itself: it is the broker of the others.
func TestBrokerProcess(t *testing.T) {
	if flag.NArg() == 0 {
		return
	}
	if err := device.Serve(device.Local(), os.Stdin, flag.Args()); err != nil {
		t.Fatal(err)
	}
}

// TestBroker opens disks by another process.
func TestBroker(t *testing.T) {
	first, second := find(t, testdisk.Loop(t, testdisk.Sparse(t, 4*mib))), find(t, testdisk.Loop(t, testdisk.Sparse(t, 8*mib)))
	devices, broker, err := device.OpenElevated(device.Elevation{Command: brokerCommand, Stderr: os.Stderr}, []device.Disk{first, second})
	if err != nil {
		t.Fatal(err)
	}
	var used *device.InUseError
	for i, d := range []device.Disk{first, second} {
		if devices[i].Disk.Path != d.Path {
			t.Errorf("got %s, want %s", devices[i].Disk.Path, d.Path)
		}
		if _, err := devices[i].ReadAt(make([]byte, 10), d.Size-10); err != nil {
			t.Error(err)
		}
		if _, err := device.Open(device.Local(), d); !errors.As(err, &used) {
			t.Errorf("opened once more: %v", err)
		}
	}
	if err := errors.Join(device.CloseAll(devices), broker.Close()); err != nil {
		t.Fatal(err)
	}
	again, err := device.Open(device.Local(), first)
	if err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	again.Close()
}

// TestBrokerRefuses has brokers that do not give what they should.
func TestBrokerRefuses(t *testing.T) {
	good := find(t, testdisk.Loop(t, testdisk.Sparse(t, 4*mib)))
	readOnly := find(t, testdisk.Loop(t, testdisk.Sparse(t, 4*mib), "--read-only"))
	changed := good
	changed.Size++
	for name, test := range map[string]struct {
		command []string
		disks   []device.Disk
		text    string
	}{
		"read-only":    {brokerCommand, []device.Disk{good, readOnly}, "is read-only"},
		"another disk": {brokerCommand, []device.Disk{changed}, "is another disk now"},
		"no password":  {[]string{"false"}, []device.Disk{good}, "exit status 1"},
		"nothing":      {[]string{"true"}, []device.Disk{good}, "no descriptor was given"},
		"no program":   {[]string{"/nowhere/sudo"}, []device.Disk{good}, "no such file"},
		"text":         {[]string{"sh", "-c", "printf 'not now' >&0"}, []device.Disk{good}, "not now"},
	} {
		devices, broker, err := device.OpenElevated(device.Elevation{Command: test.command}, test.disks)
		var not *device.NotOpenedError
		if !errors.As(err, &not) || !strings.Contains(err.Error(), test.text) || devices != nil || broker != nil {
			t.Errorf("%s: %v, want %q", name, err, test.text)
		}
	}
	dev, err := device.Open(device.Local(), good)
	if err != nil {
		t.Fatalf("a disk was left open: %v", err)
	}
	dev.Close()
}

// TestServe serves where there is no socket.
func TestServe(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var told *device.ToldError
	if err := device.Serve(device.Local(), f, []string{"{}"}); err == nil || errors.As(err, &told) {
		t.Errorf("error %v", err)
	}
}
