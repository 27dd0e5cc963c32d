package stamp

import (
	"io"

	"github.com/livebuild/livebuild/internal/layer"
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
	built := layer.Over(m.ReaderAt())
	for _, p := range area.Clear() {
		built.Put(p.Offset, p.Data)
	}
	return built
}
