package look

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/inspection"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/treemap"
	"github.com/livebuild/livebuild/internal/verify"
)

// drawers are what a map can be, by the extension of its file.
var drawers = map[string]func(treemap.Map, io.Writer) error{
	".html": treemap.Map.WriteHTML,
	".htm":  treemap.Map.WriteHTML,
	".svg":  treemap.Map.WriteSVG,
}

// drawer is what the file of a map is to be.
func drawer(file string) (func(treemap.Map, io.Writer) error, error) {
	draw, ok := drawers[strings.ToLower(filepath.Ext(file))]
	if !ok {
		return nil, face.Usage(fmt.Errorf("--map needs a file whose name ends in .html or .svg, not %q", file))
	}
	return draw, nil
}

// drawMap writes the map of an image, which was opened from a path, into a file.
func (a verbs) drawMap(ctx context.Context, path, file string, m *medium.File, c *contents.Contents, image *inspection.Image) (report.Map, error) {
	draw, err := drawer(file)
	if err != nil {
		return report.Map{}, err
	}
	size := m.Size // with what writers put behind the volume
	if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeDevice {
		size = verify.ImageSize(m.Medium) // the rest of the disk is none of it
	}
	room, err := inspection.ReadRoom(ctx, m.Medium, c, image, size)
	if err != nil {
		return report.Map{}, err
	}
	about := []string{human.Size(room.Root.Size)}
	for _, word := range []string{image.VolumeID, image.Label, image.Arch} {
		if word != "" {
			about = append(about, word)
		}
	}
	if image.Store != nil {
		about = append(about, human.Count(image.Store.Paths, "store path"))
	}
	drawing := treemap.Map{Title: filepath.Base(path), About: strings.Join(append(about, human.Count(room.Root.Files, "file")), ", "), Room: room}
	if err := face.WriteFile(ctx, file, func(w io.Writer) error { return draw(drawing, w) }); err != nil {
		return report.Map{}, err
	}
	file, err = filepath.Abs(file)
	return report.Map{File: file, Size: room.Root.Size, Bytes: room.Root.Bytes, Files: room.Root.Files}, err
}
