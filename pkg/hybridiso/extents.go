package hybridiso

import (
	"context"
	"fmt"
	"io"
)

// Extents returns, in order, where everything but the stream is if that has so many bytes: the
// head, each file, and the backup GPT. Of files that follow from the stream ([File.Late]) the places
// are by themselves. What lies between all of them is zero.
func (l *Layout) Extents(streamSize int64) (list, late []Extent) {
	g := l.geometry(streamSize)
	add := func(list []Extent, e extent) []Extent {
		if e.size == 0 {
			return list
		}
		return append(list, Extent{e.block * blockSize, e.size})
	}
	list = []Extent{{0, l.HeadSize()}}
	for _, n := range l.ordinary {
		list = add(list, n.extent)
	}
	list = add(list, g.esp)
	if l.image.Boot.Hybrid {
		const backup = backupSectors * sectorSize
		list = append(list, Extent{g.blocks*blockSize - backup, backup})
	}
	for _, e := range g.late {
		late = add(late, e)
	}
	return list, late
}

// WriteEnds writes what [Layout.Write] writes when the stream is written and has so many bytes: what
// is behind it, but for files that follow from it, then the head. So a stream can tell of the whole
// image that it is in.
func (l *Layout) WriteEnds(ctx context.Context, w io.WriterAt, streamSize int64) error {
	return l.writeEnds(ctx, w, l.geometry(streamSize), nil)
}

// writeEnds writes what is behind the stream, with some files that follow from it, and the head.
func (l *Layout) writeEnds(ctx context.Context, w io.WriterAt, g geometry, late []*node) error {
	if err := l.writeTail(ctx, w, g, late); err != nil {
		return fmt.Errorf("writing image: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing image: %w", err)
	}
	if _, err := w.WriteAt(l.head(g), 0); err != nil {
		return fmt.Errorf("writing image: %w", err)
	}
	return nil
}
