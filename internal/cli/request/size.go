package request

import (
	"errors"

	"github.com/livebuild/livebuild/internal/cli/face"
)

// Size is a flag with a size that files have to stay below; zero is none.
//
// Less than, not at most: that is how the limits are meant that people know by their round
// numbers, GitHub's of 2 GiB for a file of a release and FAT's of 4 GiB.
type Size struct {
	Bytes int64
	text  string
}

func (s *Size) String() string { return s.text }
func (s *Size) Type() string   { return "size" }

// Set reads a size in bytes, or with a unit: powers of 1024.
func (s *Size) Set(text string) error {
	n, err := face.ParseSize(text, 'B')
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("nothing is smaller than 0")
	}
	*s = Size{n, text}
	return nil
}
