package verify

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"io"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
)

// maxList is more than any list of sums has, in bytes.
const maxList = 4 << 20

// sums holds the files of the volume against the list of sums by which the medium checks
// itself, if it has one, and returns the paths of those that are as listed.
func (v *verifier) sums(files map[string]entry) (proved map[string]bool, err error) {
	proved = map[string]bool{}
	list, ok := files[medium.Sums]
	if !ok {
		return proved, nil
	}
	wrong := func(line int64, file, format string, args ...any) error {
		at := medium.TreeFile{Extents: treeExtents(list)}.At(line)
		return v.wrong("list of sums", at, file, format, args...)
	}
	text, err := io.ReadAll(io.LimitReader(v.contents(list), maxList+1))
	if err != nil {
		return proved, v.readable(list) // says where
	}
	sums, err := medium.ParseSums(text)
	if err != nil {
		return proved, wrong(0, list.Path, "%w", err)
	}
	good := true
	for _, s := range sums {
		line := int64(bytes.Index(text, s.AppendTo(nil)))
		e, ok := files[s.Path]
		if !ok {
			good = false
			if err := wrong(line, s.Path, "the file is not there"); err != nil {
				return nil, err
			}
			continue
		}
		h := sha512.New()
		n, err := io.CopyBuffer(h, struct{ io.Reader }{progress.NewReader(v.ctx, v.contents(e), nil)}, make([]byte, chunkSize))
		if v.ctx.Err() != nil {
			return nil, v.ctx.Err()
		}
		if err == nil && n == e.Size && [sha512.Size]byte(h.Sum(nil)) == s.SHA512 {
			proved[s.Path] = true
			continue
		}
		good = false
		if err == nil {
			err = errSum
		}
		if err := wrong(line, s.Path, "%w", err); err != nil {
			return nil, err
		}
	}
	// A list that is right about files cannot be a wrong one.
	proved[list.Path] = good && len(sums) > 0
	return proved, nil
}

var errSum = errors.New("the file has another SHA-512 than the list says")
