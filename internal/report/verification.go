package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/stamp"
	"github.com/livebuild/livebuild/internal/verify"
)

// Verification is what was found out of an image that was checked.
type Verification struct {
	File            string        `json:"file"`
	Good            bool          `json:"good"`             // nothing was found; what was not checked is below
	Rebuilt         bool          `json:"rebuilt"`          // built and packed again, with the same bytes
	Sealed          *Sealed       `json:"sealed,omitempty"` // what of these bytes only keys make, of an image that was signed
	Findings        []Finding     `json:"findings"`
	StorePaths      int           `json:"store_paths"`       // of which the NAR hash was computed
	NarBytes        int64         `json:"nar_bytes"`         // in them
	Files           int           `json:"files"`             // of the volume, equal to another copy on the medium
	Kept            *Kept         `json:"kept,omitempty"`    // behind the image on a stick, which is not checked
	Stamped         []stamp.Entry `json:"stamped,omitempty"` // what was put onto the image when it was finished
	UnverifiedFiles []string      `json:"unverified_files"`  // read, but nothing on the medium vouches for them
	UnverifiedBytes int64         `json:"unverified_bytes"`
	SHA256          string        `json:"sha256,omitempty"`      // of the file or disk, if it was made
	SHA256From      string        `json:"sha256_from,omitempty"` // the file or flag that says so, too
	SignedBy        string        `json:"signed_by,omitempty"`   // with --key
	NotChecked      []string      `json:"not_checked"`           // what else was not checked, and why
}

// Finding is one thing that is wrong with an image.
type Finding struct {
	Structure string `json:"structure"`
	Offset    int64  `json:"offset"` // on the medium, in bytes; -1: no such place
	StorePath string `json:"store_path,omitempty"`
	File      string `json:"file,omitempty"`
	Error     string `json:"error"`
}

// NewVerification is one of a file in which nothing has been found yet.
func NewVerification(file string) Verification {
	return Verification{File: file, Findings: []Finding{}, UnverifiedFiles: []string{}, NotChecked: []string{}}
}

// Find adds what is wrong.
func (r *Verification) Find(f verify.Finding) {
	r.Findings = append(r.Findings, Finding{f.Structure, f.Offset, f.StorePath, f.File, f.Err.Error()})
}

// Take adds what was checked.
func (r *Verification) Take(v verify.Report) {
	r.StorePaths, r.NarBytes, r.Files, r.UnverifiedBytes = v.StorePaths, v.NarBytes, v.Files, v.UnprovedBytes
	if v.Kept != nil {
		r.Kept = describeKept(*v.Kept, v.Content)
	}
	if v.Stamp != nil {
		r.Stamped = v.Stamp.Items
	}
	r.UnverifiedFiles, r.NotChecked = append(r.UnverifiedFiles, v.Unproved...), append(r.NotChecked, v.Gaps...)
}

// Text is what was checked; what is wrong has been told.
func (r Verification) Text(w io.Writer) error {
	var b strings.Builder
	if r.Good {
		fmt.Fprintf(&b, "%s is good: ", r.File)
		if r.StorePaths > 0 {
			fmt.Fprintf(&b, "%s, %s, are as registered", human.Count(r.StorePaths, "store path"), human.Size(r.NarBytes))
		} else {
			b.WriteString("nothing was found wrong")
		}
		if r.Rebuilt {
			b.WriteString(", and it is what its configuration builds, byte for byte")
		}
		b.WriteString("\n")
		b.WriteString(r.Sealed.text())
	}
	if r.Kept != nil {
		fmt.Fprintf(&b, "files are kept %s; they are not checked\n", r.Kept.place())
	}
	if len(r.Stamped) > 0 {
		fmt.Fprintf(&b, "stamped after it was built: %s\n", (&stamp.Stamp{Items: r.Stamped}).Text())
	}
	if r.SHA256From != "" {
		fmt.Fprintf(&b, "its SHA-256 is as in %s\n", r.SHA256From)
	}
	if r.SignedBy != "" {
		fmt.Fprintf(&b, "signed by %s\n", r.SignedBy)
	}
	vouched := r.Rebuilt || r.SHA256From != "" || r.SignedBy != ""
	if n := len(r.UnverifiedFiles); n > 0 && !vouched {
		fmt.Fprintf(&b, "not checked: %s, %s, that nothing on the medium vouches for\n", human.Count(n, "file"), human.Size(r.UnverifiedBytes))
	}
	for _, gap := range r.NotChecked {
		fmt.Fprintf(&b, "not checked: %s\n", gap)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// DamagedError says that an image is not what it should be.
type DamagedError struct {
	Path     string
	Findings int
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged: %s", e.Path, human.Count(e.Findings, "finding"))
}
