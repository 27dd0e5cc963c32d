package stamp

import (
	"io"

	"github.com/livebuild/livebuild/internal/layer"
	"github.com/livebuild/livebuild/internal/medium"
)

// AsBuilt reads an image as it was before something was stamped onto it. What is no stamp it leaves.
func AsBuilt(m *medium.Medium) io.ReaderAt {
	changed := stamped(m)
	if changed == nil {
		return m.ReaderAt()
	}
	built := layer.Over(m.ReaderAt())
	for _, p := range changed {
		built.Put(p.Offset, p.Data)
	}
	return built
}

// stamped are the places that a stamp has changed, as they were; nil without one.
func stamped(m *medium.Medium) []Patch {
	area, err := Find(m, "the image")
	if err != nil {
		return nil
	}
	if s, err := area.Read(); s == nil || err != nil {
		return nil
	}
	return area.Clear()
}

// Signatures returns where the signatures lie of the files that a stamp has changed, as they are. Those that the image
// was built with were replaced by them. There are none without a stamp, and none of an image that nobody
// signed. The error is an *UnknownError.
func Signatures(m *medium.Medium) (all []Patch, err error) {
	seen := map[string]bool{}
	for _, p := range stamped(m) {
		if seen[p.Name] {
			continue
		}
		seen[p.Name] = true
		signature, ok, err := FindSignature(m, p.Name)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, signature)
		}
	}
	return all, nil
}
