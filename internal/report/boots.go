package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/qemu"
)

// Boots is what became of an image that was tried.
type Boots struct {
	File     string     `json:"file"`
	VolumeID string     `json:"volume_id"`
	Arch     string     `json:"arch"`
	Accel    qemu.Accel `json:"accel"` // "kvm" or "tcg"
	Passed   bool       `json:"passed"`
	Boots    []Boot     `json:"boots"`

	Since *Difference `json:"-"` // what differs from the image before; nil if there was none
}

// Text is empty: each boot was told when it ended.
func (Boots) Text(io.Writer) error { return nil }

// Boot is one try.
type Boot struct {
	Configuration string          `json:"configuration,omitempty"` // of a medium with several
	Mode          medium.Mode     `json:"mode"`
	Passed        bool            `json:"passed"`
	Outcome       string          `json:"outcome"`
	Line          string          `json:"line"`            // of the console, which decided
	Link          string          `json:"link,omitempty"`  // of the chain of Secure Boot that refused
	Serial        boottest.Serial `json:"serial"`          // how the kernel got its console: default, added or unknown
	Menus         []string        `json:"menus,omitempty"` // files that the boot loader was shown changed
	Seconds       float64         `json:"seconds"`
	Console       []string        `json:"console,omitempty"` // the last lines of a failed boot
	Log           string          `json:"log,omitempty"`     // files that were kept
	Screenshot    string          `json:"screenshot,omitempty"`
	Error         string          `json:"error,omitempty"` // why it could not be tried

	Verdict qemu.Verdict `json:"-"`
	Err     error        `json:"-"` // it could not be tried
}

// Way is what was started, and how.
func (r *Boot) Way() string {
	if r.Configuration == "" {
		return string(r.Mode)
	}
	return r.Configuration + " " + string(r.Mode)
}

// String is the boot in one line.
func (r *Boot) String() string {
	line := fmt.Sprintf("%s: %s after %s", r.Way(), r.Verdict.Outcome, human.Seconds(r.Verdict.Duration))
	if r.Link != "" {
		line += ", " + r.Link
	}
	if r.Line != "" {
		line += ": " + r.Line
	}
	return line
}

// NotBootedError says that an image was tried and did not come up.
type NotBootedError struct {
	Failed []Boot
	Boots  int // that were tried
}

func (e *NotBootedError) Error() string {
	if e.Boots == 1 {
		return fmt.Sprintf("the image did not boot: %s %s", e.Failed[0].Way(), e.Failed[0].Verdict.Outcome)
	}
	var reasons []string
	for _, r := range e.Failed {
		reasons = append(reasons, fmt.Sprintf("%s %s", r.Way(), r.Verdict.Outcome))
	}
	return fmt.Sprintf("%d of %d boots failed: %s", len(e.Failed), e.Boots, strings.Join(reasons, ", "))
}
