package medium

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/netboot"
)

// NoManifestError says that an image does not tell what it was made of.
type NoManifestError struct{}

func (*NoManifestError) Error() string { return "has no " + Manifest }

// Manifest reads what the medium says it was made of, of which nothing is known to be true. The
// error is a *NoManifestError if it has no such file, a [*manifest.Error] or a
// [*manifest.VersionError] if the file is of no use.
func (m *Medium) Manifest() (*manifest.Manifest, error) {
	if m.Bundled() {
		return m.paper, m.paperErr
	}
	f, err := m.Files().Find(Manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NoManifestError{}
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", Manifest, err)
	}
	return manifest.Read(m.Files().Open(f))
}

// ManifestName is the path of that file on the medium.
func (m *Medium) ManifestName() string {
	switch m.Form {
	case Folder:
		return netboot.Manifest
	case Archive:
		return m.Beside(kexec.Manifest)
	}
	return Manifest
}
