package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Place is what a byte of an image belongs to.
type Place struct {
	Structure string // as in a Finding
	StorePath string // that the byte is of, or empty; of a block that several share, the first
	File      string // in the store path, or else in the file system; or empty
}

func (p Place) String() string {
	switch {
	case p.StorePath != "" && p.File != "":
		return fmt.Sprintf("%s of %q", p.Structure, p.StorePath+"/"+p.File)
	case p.StorePath != "" || p.File != "":
		return fmt.Sprintf("%s of %q", p.Structure, p.StorePath+p.File)
	}
	return p.Structure
}

// Sizes of what is at a known place of a medium with a GPT, in bytes (UEFI 2.10 §5.3), of a volume
// (ECMA-119 §6.2.1) and in it.
const (
	sectorBytes = 512
	systemArea  = 16 * isoBlock
	gptBytes    = 33 * sectorBytes
)

// Locate says what the byte at an offset of an image belongs to, as far as the image itself tells.
func Locate(ctx context.Context, m *medium.Medium, offset int64) Place {
	v := &verifier{ctx: ctx, medium: m, size: ImageSize(m)}
	switch m.Form {
	case medium.Squashfs:
		return v.inStore(offset)
	case medium.Initrd, medium.Folder, medium.Archive:
		if section, err := m.StoreSection(); err == nil {
			if _, start, size := section.Outer(); offset >= start && offset < start+size {
				return v.inStore(offset)
			}
		}
		for _, f := range m.Members() {
			if at := f.At(0); offset >= at && offset < at+f.Size {
				return Place{Structure: "file", File: f.Path}
			}
		}
		if m.Bundled() {
			return Place{Structure: "padding"}
		}
		return Place{Structure: "initrd"}
	}
	entries, err := v.volume(0) // whose findings nobody is told
	if err != nil {
		return Place{Structure: "image"}
	}
	start := m.Size // of the first file
	for _, e := range entries {
		for _, x := range e.Extents {
			start = min(start, x.Offset)
			if offset < x.Offset || offset >= x.Offset+x.Size {
				continue
			}
			switch {
			case e.Path == medium.StoreImage:
				return v.inStore(offset)
			case v.isEFIImage(e):
				return v.inEFI(e, offset)
			}
			return Place{Structure: "file", File: e.Path}
		}
	}
	partitioned := len(m.Volume.Partitions) > 0
	switch {
	case partitioned && offset < sectorBytes:
		return Place{Structure: "MBR"}
	case partitioned && offset < sectorBytes+gptBytes:
		return Place{Structure: "primary GPT"}
	case offset < systemArea:
		return Place{Structure: "system area"}
	case offset < start:
		return Place{Structure: "volume descriptors and directories"}
	case partitioned && offset >= v.size-gptBytes:
		return Place{Structure: "backup GPT"}
	}
	return Place{Structure: "padding"}
}

// inEFI says which file of an EFI system partition a byte is in.
func (v *verifier) inEFI(e entry, offset int64) Place {
	place := Place{Structure: "EFI system partition", File: e.Path}
	start := e.Extents[0].Offset
	r, err := fat.Open(io.NewSectionReader(v.medium.ReaderAt(), start, e.Size), e.Size)
	if err != nil {
		return place
	}
	var files []namedFAT
	if err := listNamed(r, ".", 0, &files); err != nil {
		return place
	}
	for _, f := range files {
		extents, err := r.Extents(f.Entry)
		if err != nil {
			continue
		}
		for _, x := range extents {
			if offset >= start+x.Offset && offset < start+x.Offset+x.Size {
				place.File = f.path
				return place
			}
		}
	}
	return place
}

// inStore says what of the store image a byte is in.
func (v *verifier) inStore(offset int64) Place {
	section, err := v.medium.StoreSection()
	if err != nil {
		return Place{Structure: "squashfs"}
	}
	_, start, _ := section.Outer()
	s, err := v.medium.Store()
	if err != nil {
		return Place{Structure: "squashfs"}
	}
	images := &storeImage{Store: s, offset: start}
	at := offset - start
	place, err := images.block(at)
	switch {
	case err != nil:
		return Place{Structure: "squashfs"}
	case place != (Place{}):
		return place
	case at >= s.Info().BytesUsed:
		return Place{Structure: "squashfs record"}
	}
	parts, err := s.Recorded(section.Size())
	if err != nil {
		return Place{Structure: "squashfs tables"}
	}
	i := slices.IndexFunc(parts, func(p squashfs.Recorded) bool { return at >= p.Offset && at < p.Offset+p.Size })
	if i < 0 {
		return Place{Structure: "squashfs padding"}
	}
	return Place{Structure: "squashfs " + parts[i].Name}
}

// block says of which file the block is that has a byte of the image; of none, Place is empty.
func (s *storeImage) block(at int64) (place Place, err error) {
	err = s.Walk(func(name string, ino squashfs.Inode) error {
		if !ino.Mode.IsRegular() {
			return nil
		}
		blocks, err := s.Blocks(ino)
		if err != nil {
			return err
		}
		has := func(b squashfs.Block) bool { return b.Size > 0 && at >= b.Offset && at < b.Offset+int64(b.Size) }
		structure := "squashfs data block"
		found := slices.ContainsFunc(blocks.Data, has)
		if !found && blocks.Tail > 0 && has(blocks.Fragment) {
			structure, found = "squashfs fragment block", true
		}
		if !found {
			return nil
		}
		base, rest, below := strings.Cut(name, "/")
		place = Place{Structure: structure, StorePath: s.path(base), File: rest}
		if base == medium.Registration && !below {
			place = Place{Structure: structure, File: base}
		}
		return errFirst
	})
	if errors.Is(err, errFirst) {
		err = nil
	}
	return place, err
}
