package inspection

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// readPartition puts the files of the EFI system partition at an offset, if there is one, into what
// it is.
func (r *roomReader) readPartition(offset int64, p *Part) error {
	n, ok := r.partitions[offset]
	if !ok {
		return nil
	}
	delete(r.partitions, offset)
	unit := int64(1)
	for _, t := range r.m.Trees() {
		if t.EFI && t.Offset == offset {
			unit = t.Unit()
		}
	}
	roots, err := r.c.Find(r.image.EFI[n].Path, true)
	if err != nil {
		return err
	}
	t := newTree(maxParts)
	err = r.c.Walk(roots[0], func(f contents.File) error {
		at := strings.TrimPrefix(f.Path, roots[0].Path)
		if at == "" {
			return nil
		}
		size := (f.Size + unit - 1) / unit * unit
		part := &Part{Name: path.Base(at), Kind: FilePart, Size: size, Bytes: f.Size, Files: 1}
		if f.Mode.IsDir() {
			part = &Part{Name: path.Base(at), Kind: FolderPart}
		}
		t.add(at, part)
		return context.Cause(r.ctx)
	})
	if err != nil {
		return err
	}
	p.hold(t.end(), "tables and free room")
	return nil
}

// readSquashFS puts the files of a squashfs into what it is.
func (r *roomReader) readSquashFS(f contents.File, p *Part) error {
	isStore := f.Path == "/"+medium.StoreImage
	t := newTree(maxParts)
	grow := func(at string, ino squashfs.Inode, size int64) error {
		if at == "." {
			return nil
		}
		part := &Part{Name: path.Base(at), Kind: FilePart, Size: size, Packed: true}
		switch {
		case isStore && !strings.Contains(at, "/") && at != medium.Registration:
			part.Kind = StorePathPart
		case ino.Mode.IsDir():
			part.Kind = FolderPart
		}
		if !ino.Mode.IsDir() {
			part.Files = 1
		}
		if ino.Mode.IsRegular() {
			part.Bytes = min(ino.Size, maxBytes)
		}
		t.add(at, part)
		return nil
	}
	var err error
	if isStore {
		toplevel := ""
		if r.image.Store != nil {
			toplevel = r.image.Store.Toplevel
		}
		r.paths, err = readPaths(r.ctx, r.m, toplevel, grow)
	} else if content, errOpen := r.c.Open(f); errOpen != nil {
		err = errOpen
	} else if s, errOpen := squashfs.Open(content, content.Size()); errOpen != nil {
		err = errOpen
	} else {
		err = weigh(r.ctx, s, grow)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	inside := t.end()
	if isStore {
		inside.Parts = packages(inside.Parts)
	}
	p.hold(inside, "tables and padding")
	return nil
}

// packages puts store paths of the same package name into one part.
func packages(parts []*Part) []*Part {
	byName := map[string]*Part{}
	var list []*Part
	for _, p := range parts {
		if p.Kind != StorePathPart {
			list = append(list, p)
			continue
		}
		name := store.PackageName(p.Name)
		of := byName[name]
		if of == nil {
			of = &Part{Name: name, Kind: PackagePart, Packed: true}
			byName[name] = of
			list = append(list, of)
		}
		of.Parts = append(of.Parts, p)
		of.take(p)
	}
	for n, p := range list {
		if p.Kind == PackagePart && len(p.Parts) == 1 {
			list[n] = p.Parts[0]
		}
	}
	return list
}
