package image

import (
	"errors"
	"testing"

	"github.com/livebuild/livebuild/internal/nixos"
)

// TestStampArea decides for each kind of stage 1 whether an image can be stamped.
func TestStampArea(t *testing.T) {
	none, some := int64(0), int64(64<<10)
	for name, test := range map[string]struct {
		systemd, unit bool
		asked         *int64
		want          int64 // -1: refused
	}{
		"scripted":                    {false, false, nil, DefaultStampArea},
		"scripted, without":           {false, false, &none, 0},
		"scripted, of a size":         {false, false, &some, some},
		"systemd":                     {true, false, nil, 0},
		"systemd, without":            {true, false, &none, 0},
		"systemd, with a unit":        {true, true, &some, some},
		"systemd, cannot be extended": {true, false, &some, -1},
	} {
		sys := &nixos.System{Name: "a", SystemdInitrd: test.systemd, StampUnit: test.unit}
		got, err := withStampArea([]*nixos.System{sys}, test.asked, false)
		var refused *StampError
		switch {
		case test.want < 0:
			if !errors.As(err, &refused) {
				t.Errorf("%s: error %v, want that it is refused", name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case got[0].StampArea != test.want:
			t.Errorf("%s: an area of %d bytes, want %d", name, got[0].StampArea, test.want)
		}
		if sys.StampArea != 0 {
			t.Errorf("%s: what the configuration says is changed", name)
		}
	}
}
