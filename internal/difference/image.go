package difference

import (
	"context"
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/inspection"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/verify"
)

// ReadImage reads what is compared of an image, which the user calls by a name: its tables, kernels
// and initrds, but not what its store holds.
func ReadImage(ctx context.Context, name string, m *medium.Medium) (*Side, error) {
	c, err := contents.Open(m)
	if err != nil {
		return nil, err
	}
	s := &Side{Name: name}
	if s.Image, err = inspection.Read(ctx, m, c); err != nil {
		return nil, err
	}
	s.Image.Size = verify.ImageSize(m)
	if err := s.readFiles(ctx, c); err != nil {
		return nil, err
	}
	if s.Boot, err = inspection.ReadBoot(ctx, m, s.Image.Menus); err != nil {
		return nil, err
	}
	if s.Image.Store == nil {
		return s, nil
	}
	paths, err := inspection.ReadPaths(ctx, m, s.Image.Store.Toplevel)
	if err != nil {
		return nil, err
	}
	s.Known = Exact
	for _, p := range paths.List {
		s.Paths = append(s.Paths, Path{Path: p.Path, Size: p.Size, NarSize: p.NarSize})
	}
	return s, nil
}

// readFiles reads which other files a volume has. What menus, an EFI system partition and the store
// hold is compared by itself.
func (s *Side) readFiles(ctx context.Context, c *contents.Contents) error {
	told := map[string]bool{"/" + medium.StoreImage: true}
	for _, m := range s.Image.Menus {
		for _, name := range m.Files {
			told[name] = true
		}
	}
	roots, err := c.Find("/", true)
	if err != nil {
		return err
	}
	s.Files = map[string]string{}
	return c.Walk(roots[0], func(f contents.File) error {
		if f.Mode.IsRegular() && !told[f.Path] && !strings.HasPrefix(f.Path, "/boot/nix/store/") {
			s.Files[f.Path] = fmt.Sprint(f.Size)
		}
		return context.Cause(ctx)
	})
}
