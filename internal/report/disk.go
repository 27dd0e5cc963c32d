package report

import (
	"errors"
	"fmt"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/stamp"
)

// DiskProgress is a line about a disk at work.
type DiskProgress struct {
	Event  string `json:"event"` // "progress"
	Device string `json:"device"`
	Phase  string `json:"phase"` // "writing", "syncing" or "verifying"
	Done   int64  `json:"done"`  // bytes that the device has taken, or given
	Total  int64  `json:"total"` // bytes
}

// Disk is the last line about a disk.
type Disk struct {
	Event    string        `json:"event"` // "result"
	Device   string        `json:"device"`
	OK       bool          `json:"ok"`
	Verified bool          `json:"verified"`
	Written  int64         `json:"written"` // bytes
	Equal    int64         `json:"equal"`   // bytes that were there already
	SHA256   string        `json:"sha256,omitempty"`
	Seconds  float64       `json:"seconds"`
	Error    string        `json:"error,omitempty"`
	Stamped  []stamp.Entry `json:"stamped,omitempty"`
	Kept     *Kept         `json:"kept,omitempty"`   // behind the image, where the live system keeps its files
	Offset   *int64        `json:"offset,omitempty"` // byte at which it failed or differs
}

// NewDisk describes what became of a disk, and what was stamped onto it, which may be nil.
func NewDisk(path string, r device.Result, s *stamp.Stamp) Disk {
	line := Disk{
		Event:    "result",
		Device:   path,
		OK:       r.Err == nil,
		Verified: r.Verified,
		Written:  r.Written,
		Equal:    r.Equal,
		SHA256:   r.SHA256,
		Seconds:  r.Duration.Seconds(),
	}
	if s != nil {
		line.Stamped = s.Items
	}
	if r.Err == nil {
		return line
	}
	line.Error = r.Err.Error()
	var (
		differs *device.DifferenceError
		failed  *device.IOError
		stalled *device.StalledError
	)
	switch {
	case errors.As(r.Err, &differs):
		line.Offset = &differs.Offset
	case errors.As(r.Err, &failed) && failed.Offset >= 0:
		line.Offset = &failed.Offset
	case errors.As(r.Err, &stalled):
		line.Offset = &stalled.Offset
	}
	return line
}

// Verdict is what was done to a disk, or found out by comparing, and how well.
func Verdict(r device.Result, compared bool, s *stamp.Stamp) string {
	if compared {
		return "holds the image, " + human.Size(r.Equal)
	}
	var text string
	switch total := r.Written + r.Equal; {
	case r.Written == 0:
		text = fmt.Sprintf("held the image already, %s", human.Size(total))
	case r.Equal > 0:
		text = fmt.Sprintf("wrote %s of %s, the other %s was there already", human.Size(r.Written), human.Size(total), human.Size(r.Equal))
	default:
		text = "wrote " + human.Size(total)
	}
	if r.Verified {
		text += ", verified"
	} else {
		text += ", not verified"
	}
	if s != nil {
		text += ", stamped with " + s.Text()
	}
	return text
}
