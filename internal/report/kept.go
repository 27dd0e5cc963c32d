package report

import (
	"fmt"
	"io"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/persistence"
)

// Kept is the place of the files that a live system keeps on its stick.
type Kept struct {
	Offset    int64  `json:"offset"`          // bytes
	Size      int64  `json:"size"`            // bytes
	ID        string `json:"id"`              // of the partition, in the table
	Content   string `json:"content"`         // "ext4", "luks", "unknown" or "unreadable"
	New       bool   `json:"new"`             // it is made at the first start
	Encrypted bool   `json:"encrypted"`       // by LUKS
	UUID      string `json:"uuid,omitempty"`  // of the file system, or of what is encrypted
	Label     string `json:"label,omitempty"` // of the same
}

// Contents that have no name of a format.
const (
	contentUnknown    = "unknown" // livebuild did not make it
	contentUnreadable = "unreadable"
)

// NewKept describes the partition for kept files of a disk.
func NewKept(p persistence.Partition, disk io.ReaderAt) *Kept {
	c, err := p.Content(disk)
	return newKept(p, c, err)
}

// StickKept describes that of a stick.
func StickKept(s *persistence.Stick) *Kept {
	c, err := s.Content()
	return newKept(s.Partition, c, err)
}

func newKept(p persistence.Partition, c persistence.Content, err error) *Kept {
	k := describeKept(p, c)
	if err != nil {
		k.Content = contentUnreadable
	}
	return k
}

func describeKept(p persistence.Partition, c persistence.Content) *Kept {
	k := Kept{
		Offset: p.Start, Size: p.Size, ID: p.ID.String(),
		Content: string(c.Format), New: c.New, Encrypted: c.Format == persistence.LUKS,
		UUID: c.UUID, Label: c.Label,
	}
	if c.Format == persistence.Ready {
		k.Content = contentUnknown
	}
	return &k
}

// what is in it, in words.
func (k Kept) what() string {
	switch {
	case k.New && k.Encrypted:
		return "to be encrypted at the first start"
	case k.New:
		return "to be made at the first start"
	case k.Content == contentUnknown:
		return "with something unknown in it"
	case k.Content == contentUnreadable:
		return "which cannot be read"
	case k.Encrypted:
		return "encrypted, LUKS " + shown(k.UUID)
	case k.Label != "":
		return k.Content + " " + shown(k.Label)
	default:
		return k.Content + " " + shown(k.UUID)
	}
}

// place is where it is, and what.
func (k Kept) place() string {
	return fmt.Sprintf("in %s behind the image, from byte %d on: %s", human.Size(k.Size), k.Offset, k.what())
}
