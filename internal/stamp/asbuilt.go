package stamp

import (
	"io"

	"github.com/livebuild/livebuild/internal/medium"
)

// AsBuilt reads an image as it was before something was stamped onto it: with zeros there. What
// is no stamp it leaves.
func AsBuilt(m *medium.Medium) io.ReaderAt {
	area, err := Find(m, "the image")
	if err != nil {
		return m.ReaderAt()
	}
	if s, err := area.Read(); s == nil || err != nil {
		return m.ReaderAt()
	}
	return &asBuilt{m.ReaderAt(), area.Offset, area.Offset + area.Size}
}

type asBuilt struct {
	r          io.ReaderAt
	start, end int64 // of the area
}

func (a *asBuilt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := a.r.ReadAt(p, offset)
	if from, to := max(a.start, offset), min(a.end, offset+int64(n)); from < to {
		clear(p[from-offset : to-offset])
	}
	return n, err
}
