package stamp

import (
	"io"

	"github.com/livebuild/livebuild/internal/medium"
)

// AsBuilt reads an image as it was before something was stamped onto it. What is no stamp it leaves.
func AsBuilt(m *medium.Medium) io.ReaderAt {
	area, err := Find(m, "the image")
	if err != nil {
		return m.ReaderAt()
	}
	if s, err := area.Read(); s == nil || err != nil {
		return m.ReaderAt()
	}
	return &asBuilt{m.ReaderAt(), area.Clear()}
}

type asBuilt struct {
	r     io.ReaderAt
	clear []Patch
}

func (a *asBuilt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := a.r.ReadAt(p, offset)
	for _, c := range a.clear {
		if from, to := max(c.Offset, offset), min(c.Offset+int64(len(c.Data)), offset+int64(n)); from < to {
			copy(p[from-offset:to-offset], c.Data[from-c.Offset:])
		}
	}
	return n, err
}
