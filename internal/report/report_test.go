package report

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/qemu"
)

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		result   device.Result
		compared bool
		want     string
	}{
		{device.Result{Written: 62_900_000, Verified: true}, false, "wrote 62.9 MB, verified"},
		{device.Result{Written: 1000}, false, "wrote 1.0 kB, not verified"},
		{device.Result{Equal: 2000, Verified: true}, false, "held the image already, 2.0 kB, verified"},
		{device.Result{Written: 500, Equal: 1500, Verified: true}, false, "wrote 500 B of 2.0 kB, the other 1.5 kB was there already, verified"},
		{device.Result{Equal: 2000}, true, "holds the image, 2.0 kB"},
	} {
		if got := Verdict(test.result, test.compared, nil); got != test.want {
			t.Errorf("%+v: %q, want %q", test.result, got, test.want)
		}
	}
}

// A disk that failed says where, if that is known.
func TestDiskOffset(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"done":      {nil, `"ok":true`},
		"differs":   {&device.DifferenceError{Offset: 4096}, `"offset":4096`},
		"at 0":      {errors.Join(&device.DifferenceError{Offset: 0}), `"offset":0`},
		"elsewhere": {errors.New("it broke"), `"error":"it broke"}`},
	} {
		text, err := json.Marshal(NewDisk("/dev/sdx", device.Result{Err: test.err, Duration: time.Second}, nil))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), test.want) || strings.Contains(string(text), "offset") != strings.Contains(test.want, "offset") {
			t.Errorf("%s: %s, want %s in it", name, text, test.want)
		}
	}
}

func TestNotBooted(t *testing.T) {
	silent := Boot{Mode: "bios-cd", Verdict: qemu.Verdict{Outcome: qemu.Silent}}
	one := &NotBootedError{Failed: []Boot{silent}, Boots: 1}
	two := &NotBootedError{Failed: []Boot{silent, silent}, Boots: 3}
	if got := one.Error(); !strings.HasPrefix(got, "the image did not boot: bios-cd ") {
		t.Error(got)
	}
	if got := two.Error(); !strings.HasPrefix(got, "2 of 3 boots failed: bios-cd ") {
		t.Error(got)
	}
}

func TestImageText(t *testing.T) {
	var b strings.Builder
	if err := (&Image{Places: []string{"/dev/sdx", "/dev/sdy"}}).Text(&b); err != nil || b.String() != "/dev/sdx\n/dev/sdy\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}
