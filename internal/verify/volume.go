package verify

import (
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// entry is a file of the volume.
type entry = hybridiso.Entry

// extent is a run of bytes of the medium.
type extent struct{ start, end int64 }

// maxEntries bounds the files of a volume: above any medium that exists.
const maxEntries = 1 << 20

// volumes reads every directory of the volume, and of another that begins with a partition, and
// holds the two against each other.
func (v *verifier) volumes() error {
	var others []*medium.Tree
	for _, t := range v.medium.Trees()[1:] {
		if !t.EFI {
			others = append(others, t)
		}
	}
	var err error
	if v.entries, err = v.volume(0); err != nil {
		return err
	}
	if v.medium.MadeHere() && v.medium.Volume.BootModes().BIOSDisk && len(others) == 0 {
		if err := v.wrong("volume descriptor", -1, "", "the volume of partition 1 cannot be read"); err != nil {
			return err
		}
	}
	for _, t := range others {
		entries, err := v.volume(t.Offset)
		if err != nil {
			return err
		}
		if v.medium.MadeHere() {
			if err := v.sameVolumes(entries, t.Offset); err != nil {
				return err
			}
		}
	}
	return nil
}

// volume returns all entries of the volume at an offset, by places on the medium, and finds what
// cannot be read or is not on the medium.
func (v *verifier) volume(offset int64) ([]entry, error) {
	const structure = "ISO 9660 directory"
	r, err := hybridiso.Open(io.NewSectionReader(v.medium.ReaderAt(), offset, v.medium.Size-offset), v.medium.Size-offset)
	if err != nil {
		return nil, v.wrong("volume descriptor", offset+volumeBlock*isoBlock, "", "%w", err)
	}
	// What Linux does not read, others do: path tables, and the hierarchy of Joliet.
	err = r.Findings(v.ctx, hybridiso.CheckOptions{Same: v.medium.MadeHere()}, func(f hybridiso.Finding) error {
		return v.find(Finding{Structure: "ISO 9660 " + f.Structure, Offset: placed(offset, f.Offset), File: f.Path, Err: f.Err})
	})
	if err != nil {
		return nil, err
	}
	root, err := r.Lookup(".")
	if err != nil {
		return nil, v.wrong(structure, -1, ".", "%w", err)
	}
	entries, pending := []entry{}, []entry{root}
	for len(pending) > 0 {
		dir := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if err := v.ctx.Err(); err != nil {
			return nil, err
		}
		children, err := r.Entries(dir)
		if err != nil {
			at := int64(-1)
			if dir.Record >= 0 {
				at = offset + dir.Record
			}
			if err := v.wrong(structure, at, dir.Path, "%w", err); err != nil {
				return nil, err
			}
			continue
		}
		for _, e := range children {
			e.Record += offset
			if e.Mode.IsDir() {
				child := e
				child.Record -= offset
				pending = append(pending, child)
			}
			e.Extents = slices.Clone(e.Extents)
			for i := range e.Extents {
				e.Extents[i].Offset += offset
			}
			if err := v.onMedium(e); err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
		if len(entries) > maxEntries {
			return nil, v.wrong(structure, -1, "", "more than %d files", maxEntries)
		}
	}
	return entries, nil
}

// onMedium checks that a file lies on the medium.
func (v *verifier) onMedium(e entry) error {
	if !e.Mode.IsRegular() {
		return nil
	}
	sum := int64(0)
	for _, x := range e.Extents {
		sum += x.Size
		if x.Offset < 0 || x.Size < 0 || x.Offset+x.Size > v.medium.Size {
			return v.wrong("ISO 9660 directory record", e.Record, e.Path, "the file has %d bytes at %d, the medium ends at %d", x.Size, x.Offset, v.medium.Size)
		}
	}
	if sum != e.Size {
		return v.wrong("ISO 9660 directory record", e.Record, e.Path, "the file has %d bytes in extents of %d", e.Size, sum)
	}
	return nil
}

// sameVolumes checks that the volume of partition 1 has the files of the whole one, all but the EFI
// system partition.
func (v *verifier) sameVolumes(entries []entry, offset int64) error {
	const structure = "ISO 9660 directory record"
	known := map[string]entry{}
	for _, e := range v.entries {
		known[e.Path] = e
	}
	for _, e := range entries {
		whole, ok := known[e.Path]
		delete(known, e.Path)
		if !ok {
			if err := v.wrong(structure, e.Record, e.Path, "the volume of the whole medium has no such file"); err != nil {
				return err
			}
			continue
		}
		if difference := differ(whole, e); difference != "" {
			if err := v.wrong(structure, e.Record, e.Path, "the volume at byte %d and that of the whole medium differ: %s", offset, difference); err != nil {
				return err
			}
		}
	}
	for _, e := range v.entries {
		if _, left := known[e.Path]; left && !v.isEFIImage(e) {
			if err := v.wrong(structure, e.Record, e.Path, "the volume at byte %d has no such file", offset); err != nil {
				return err
			}
		}
	}
	return nil
}

// differ says how two records of one file differ, or nothing.
func differ(a, b entry) string {
	switch {
	case a.Mode != b.Mode:
		return fmt.Sprintf("%s, %s", a.Mode, b.Mode)
	case a.Target != b.Target:
		return fmt.Sprintf("link to %q, to %q", a.Target, b.Target)
	case !a.ModTime.Equal(b.ModTime):
		return fmt.Sprintf("of %s, of %s", a.ModTime, b.ModTime)
	case a.UID != b.UID || a.GID != b.GID:
		return fmt.Sprintf("owned by %d:%d, by %d:%d", a.UID, a.GID, b.UID, b.GID)
	case a.Mode.IsRegular() && !slices.Equal(a.Extents, b.Extents):
		return fmt.Sprintf("in %v, in %v", a.Extents, b.Extents)
	}
	return ""
}

// isEFIImage reports whether a file is an EFI system partition.
func (v *verifier) isEFIImage(e entry) bool {
	return e.Mode.IsRegular() && len(e.Extents) > 0 && slices.ContainsFunc(v.medium.Trees(), func(t *medium.Tree) bool {
		return t.EFI && t.Offset == e.Extents[0].Offset
	})
}

// contents returns the bytes of a file of the volume.
func (v *verifier) contents(e entry) io.Reader {
	var parts []io.Reader
	for _, x := range e.Extents {
		parts = append(parts, io.NewSectionReader(v.medium.ReaderAt(), x.Offset, x.Size))
	}
	return io.MultiReader(parts...)
}

// regular returns the regular files of the volume, by their paths.
func (v *verifier) regular() map[string]entry {
	files := map[string]entry{}
	for _, e := range v.entries {
		if e.Mode&fs.ModeType == 0 {
			files[e.Path] = e
		}
	}
	return files
}
