package hybridiso

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Finding is one thing that is wrong with a volume.
type Finding struct {
	// Structure is "volume descriptor", "path table L", "path table M", "directory" or "directory
	// record", with "Joliet " before it if it is of that hierarchy.
	Structure string
	Offset    int64  // in the volume, in bytes, of the structure; -1 if there is no such place
	Path      string // of a file that it concerns; or empty
	Err       error  // what is wrong
}

// CheckOptions say what a volume is held against.
type CheckOptions struct {
	// Same wants the same files under the same names in both hierarchies, as this package writes
	// them. Other writers can leave files out of one.
	Same bool
}

// Findings reads both hierarchies of the volume, that of ISO 9660 without extensions and that of
// Joliet, which readers of other systems use, and calls found for each thing that is wrong: a
// directory that cannot be read, a path table that leads elsewhere than the directories do or
// leaves one out (ECMA-119 §6.9), a number whose two byte orders differ (§7.2.3, §7.3.3), a file
// of Joliet that is not where ISO 9660 has it. An error of found ends the check and is returned;
// others are those of ctx.
func (r *Reader) Findings(ctx context.Context, opts CheckOptions, found func(Finding) error) error {
	primary, joliet, err := r.descriptors()
	if err != nil {
		return found(Finding{"volume descriptor", descriptorBlock * blockSize, "", err})
	}
	c := &volumeCheck{ctx: ctx, found: found}
	files, err := c.hierarchy(r, *primary, Plain)
	if err != nil || joliet == nil {
		return err
	}
	others, err := c.hierarchy(r, *joliet, Joliet)
	if err != nil {
		return err
	}
	named, err := r.named(ctx)
	if err != nil {
		return c.ctx.Err() // what Linux reads is for those to find who read it
	}
	return c.compare(files, others, named, opts)
}

// volumeCheck is one run of Findings.
type volumeCheck struct {
	ctx   context.Context
	found func(Finding) error
}

// checkedDirectory is a directory as the records lead to it.
type checkedDirectory struct {
	path   string
	parent int64 // its block
}

// hierarchy checks one, and returns its files that are not empty.
func (c *volumeCheck) hierarchy(of *Reader, d volumeDescriptor, naming Naming) (files []Entry, err error) {
	prefix := ""
	if naming == Joliet {
		prefix = "Joliet "
	}
	descriptor := func(format string, args ...any) error {
		return c.found(Finding{prefix + "volume descriptor", -1, "", fmt.Errorf(format, args...)})
	}
	for _, n := range []struct {
		name   string
		little uint64
		big    uint64
	}{
		{"size of the volume", uint64(d.VolumeSpaceSize.value()), uint64(binary.BigEndian.Uint32(d.VolumeSpaceSize[4:]))},
		{"size of the path tables", uint64(d.PathTableSize.value()), uint64(binary.BigEndian.Uint32(d.PathTableSize[4:]))},
	} {
		if n.little != n.big {
			if err := descriptor("the %s is %d, in the other byte order %d", n.name, n.little, n.big); err != nil {
				return nil, err
			}
		}
	}
	r := &Reader{src: of.src, size: of.size, claims: map[int64]int64{}, directories: map[int64]*isoDirectory{}}
	if err := r.start(d, naming); err != nil {
		return nil, descriptor("%w", err)
	}
	directories := map[int64]checkedDirectory{r.root.block: {".", r.root.block}}
	whole := true
	for pending := []Entry{r.root}; len(pending) > 0; {
		dir := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := r.Entries(dir)
		if err == nil {
			err = r.checkOrders(dir)
		}
		if err != nil {
			whole = false
			if err := c.found(Finding{prefix + "directory", dir.block * blockSize, dir.Path, err}); err != nil {
				return nil, err
			}
		}
		for _, e := range entries {
			switch {
			case e.Mode.IsDir():
				directories[e.block] = checkedDirectory{e.Path, dir.block}
				pending = append(pending, e)
			case len(e.Extents) > 0:
				files = append(files, e)
			}
		}
		if len(files)+len(directories) > maxChecked {
			return nil, c.found(Finding{prefix + "directory", -1, "", fmt.Errorf("more than %d files", maxChecked)})
		}
	}
	if !whole {
		return files, nil // the path tables have what could not be read
	}
	for _, table := range []struct {
		name  string
		block uint32
		order binary.ByteOrder
	}{
		{"path table L", d.TypeLPathTable, binary.LittleEndian},
		{"path table L", d.OptionalTypeLPathTable, binary.LittleEndian},
		{"path table M", binary.BigEndian.Uint32(d.TypeMPathTable[:]), binary.BigEndian},
		{"path table M", binary.BigEndian.Uint32(d.OptionalTypeMPathTable[:]), binary.BigEndian},
	} {
		if table.block == 0 {
			continue // the optional ones need not be there, and Linux reads none
		}
		if err := r.checkPathTable(int64(table.block), int64(d.PathTableSize.value()), table.order, directories); err != nil {
			if err := c.found(Finding{prefix + table.name, int64(table.block) * blockSize, "", err}); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// maxChecked bounds the files and directories of a hierarchy: above any medium that exists.
const maxChecked = 1 << 20

// checkOrders checks that the numbers of a directory's records are the same in both byte orders.
func (r *Reader) checkOrders(dir Entry) error {
	content := make([]byte, dir.bytes) // which has been read before
	if err := r.readAt(content, dir.block*blockSize); err != nil {
		return err
	}
	for offset := int64(0); offset < dir.bytes; {
		if content[offset] == 0 {
			offset = alignUp(offset+1, blockSize)
			continue
		}
		raw, err := recordAt(content, offset)
		if err != nil {
			return err
		}
		for _, n := range []both32{raw.Location, raw.DataLength} {
			if big := binary.BigEndian.Uint32(n[4:]); big != n.value() {
				return fmt.Errorf("record at byte %d has %d, in the other byte order %d", offset, n.value(), big)
			}
		}
		offset += int64(len(raw.bytes))
	}
	return nil
}

// checkPathTable holds a path table against the directories, by their blocks.
func (r *Reader) checkPathTable(block, size int64, order binary.ByteOrder, directories map[int64]checkedDirectory) error {
	if size > maxDirectoryBytes || size > r.size {
		return fmt.Errorf("has %d bytes, in an image of %d", size, r.size)
	}
	table := make([]byte, size)
	if err := r.readAt(table, block*blockSize); err != nil {
		return err
	}
	var blocks []int64 // of the directories, by their numbers less one
	met := map[int64]bool{}
	for at := 0; at < len(table); {
		var rec pathTableRecord
		n, err := binary.Decode(table[at:], order, &rec)
		if err != nil || n+int(rec.IdentifierLength) > len(table)-at {
			return fmt.Errorf("ends in the middle of a record, at byte %d", at)
		}
		identifier := string(table[at+n:][:rec.IdentifierLength])
		at = min(len(table), evenLength(at+n+int(rec.IdentifierLength)))
		place := int64(rec.Location) + int64(rec.ExtendedAttributeRecordLength)
		dir, ok := directories[place]
		name := r.plainName(identifier)
		if len(blocks) == 0 {
			name = "."
		}
		number := len(blocks) + 1
		blocks = append(blocks, place)
		switch {
		case !ok:
			return fmt.Errorf("record %d, %q, leads to block %d, where no directory is", number, name, place)
		case met[place]:
			return fmt.Errorf("record %d, %q, leads to block %d as another does", number, name, place)
		case path.Base(dir.path) != name:
			return fmt.Errorf("record %d calls the directory %q %q", number, dir.path, name)
		case rec.Parent == 0 || int(rec.Parent) > len(blocks) || blocks[rec.Parent-1] != dir.parent:
			return fmt.Errorf("record %d, %q, names record %d as the directory that it is in", number, name, rec.Parent)
		}
		met[place] = true
	}
	for _, at := range slices.Sorted(maps.Keys(directories)) {
		if !met[at] && len(directories) <= maxDirectories { // there are no numbers for more
			return fmt.Errorf("lacks the directory %q", directories[at].path)
		}
	}
	return nil
}

// named returns the files of the hierarchy that Linux reads, by where they begin.
func (r *Reader) named(ctx context.Context) (map[int64][]Entry, error) {
	files := map[int64][]Entry{}
	root, err := r.Lookup(".")
	if err != nil {
		return nil, err
	}
	for pending := []Entry{root}; len(pending) > 0; {
		dir := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := r.Entries(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Mode.IsDir() {
				pending = append(pending, e)
			} else if len(e.Extents) > 0 {
				files[e.Extents[0].Offset] = append(files[e.Extents[0].Offset], e)
			}
		}
	}
	return files, nil
}

// compare holds the files of Joliet against those of ISO 9660.
func (c *volumeCheck) compare(primary, joliet []Entry, named map[int64][]Entry, opts CheckOptions) error {
	wrong := func(e Entry, err error) error {
		return c.found(Finding{"Joliet directory record", e.Record, e.Path, err})
	}
	sizes := map[int64][]int64{} // of files by where they begin
	for _, e := range primary {
		sizes[e.Extents[0].Offset] = append(sizes[e.Extents[0].Offset], e.Size)
	}
	for _, e := range joliet {
		start := e.Extents[0].Offset
		others, ok := sizes[start]
		var err error
		switch {
		case ok && !slices.Contains(others, e.Size):
			err = wrong(e, fmt.Errorf("the file has %d bytes, without Joliet %d", e.Size, others[0]))
		case !opts.Same:
		case !ok:
			err = wrong(e, fmt.Errorf("the file is at byte %d, where without Joliet none is", start))
		case !slices.ContainsFunc(named[start], func(n Entry) bool { return sameJolietName(n.name(), e.name()) }):
			err = wrong(e, errors.New("without Joliet the file has another name"))
		}
		if err != nil {
			return err
		}
	}
	if opts.Same && len(primary) != len(joliet) {
		return c.found(Finding{"Joliet directory", -1, "", fmt.Errorf("there are %d files, without Joliet %d", len(joliet), len(primary))})
	}
	return nil
}

// sameJolietName says whether a name of Joliet is what this package makes of a name: itself, but for
// characters that Joliet lacks, and for those that give way to a number where two would be one.
func sameJolietName(name, joliet string) bool {
	want := (&Reader{naming: Joliet}).plainName(jolietIdentifier(name, false, ""))
	if want == joliet {
		return true
	}
	stem, extension := splitExtension(joliet)
	wantStem, wantExtension := splitExtension(want)
	cut := strings.LastIndexByte(stem, '_')
	return cut >= 0 && extension == wantExtension && strings.HasPrefix(wantStem, stem[:cut])
}
