package squashfs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/tree"
)

// Earlier is an earlier image from which a new one takes what has not changed.
// The new image has the same bytes as one that is packed without it.
//
// Whole groups of entries are taken if all their entries are kept ones
// ([Entry.Kept]) and the same of their files are stored in them; of other
// groups, files of a block or more.
type Earlier struct {
	r      *Reader
	record *disk.Record
	whole  []bool // by group: its bytes are what the record says
	packed *pack.Earlier
}

// EncoderError says that an image was packed in another way, so that none of
// it can be part of the new one.
type EncoderError struct{ Was, Wanted string }

func (e *EncoderError) Error() string {
	return fmt.Sprintf("packed with %s, not %s", e.Was, e.Wanted)
}

// OpenEarlier opens the image of size bytes in src, which may include what lies
// behind it, for use in a new image with codec c. All bytes are held against
// the record in the image, by several workers. The error is [ErrNotSquashFS],
// [ErrNoRecord], an [*EncoderError], or says how the image is damaged.
// Damage within groups is no error: these are not taken.
//
// That record and bytes agree does not prove that they are true. Whoever did
// not write the image has to compare what its entries hold, see [Earlier.Reader].
func OpenEarlier(ctx context.Context, src io.ReaderAt, size int64, c *codec.Codec, workers int) (*Earlier, error) {
	return newEarlier(ctx, src, size, c, workers, (*Earlier).verifyGroups)
}

// OpenEarlierPart is [OpenEarlier] of an image that is coming in: only those groups of files, given by
// offset and size in bytes, are taken for which a function says so. They are not read before they are
// copied: that they have the sums of the record ([Reader.Recorded]), src has to see to.
func OpenEarlierPart(ctx context.Context, src io.ReaderAt, size int64, c *codec.Codec, workers int, has func(offset, size int64) bool) (*Earlier, error) {
	return newEarlier(ctx, src, size, c, workers, func(e *Earlier, _ context.Context, _ int) error {
		for i, g := range e.record.Groups {
			e.whole[i] = has(int64(g.Start), int64(g.Size))
		}
		return nil
	})
}

func newEarlier(ctx context.Context, src io.ReaderAt, size int64, c *codec.Codec, workers int, groups func(*Earlier, context.Context, int) error) (*Earlier, error) {
	r, err := Open(src, size)
	if err != nil {
		return nil, err
	}
	rec, err := r.readRecord(size)
	if err != nil {
		return nil, err
	}
	was, wanted := encoderName(rec.Generation, rec.Identity), encoderName(layoutGeneration, c.Identity())
	if was != wanted {
		return nil, &EncoderError{Was: was, Wanted: wanted}
	}
	e := &Earlier{r: r, record: rec, whole: make([]bool, len(rec.Groups))}
	if err := e.verify(ctx); err != nil {
		return nil, err
	}
	if err := groups(e, ctx, workers); err != nil {
		return nil, err
	}
	// Whoever reads an entry comes back to the fragment blocks of its window.
	r.fragmentBlocks.SetCapacity(workers * (int(layoutRules.windows.WindowBytes)/int(r.sb.BlockSize) + 4))
	e.packed = pack.NewEarlier(src, rec.Groups, e.whole, e.fragment)
	return e, nil
}

// ErrNoRecord says that an image has no record of how it was made: it was not
// written by this package.
var ErrNoRecord = disk.ErrNoRecord

// readRecord reads the record behind the image in a source of size bytes.
func (r *Reader) readRecord(size int64) (*disk.Record, error) {
	rec, err := disk.ReadRecord(r.src, int64(r.sb.BytesUsed), size)
	if err != nil {
		return nil, err
	}
	return rec, rec.Check(r.data.start, r.data.end, r.sb.Fragments)
}

// encoderName names what the bytes of an image depend on besides its contents.
func encoderName(generation uint32, identity string) string {
	return fmt.Sprintf("%s, layout %d", identity, generation)
}

// Sum identifies the image: equal sums mean equal bytes, but for the padding.
func (e *Earlier) Sum() [sha256.Size]byte { return e.record.Sum }

// Reader reads the image.
func (e *Earlier) Reader() *Reader { return e.r }

// Damaged is how many bytes of the image cannot be taken because they are not
// what they were.
func (e *Earlier) Damaged() int64 {
	sum := int64(0)
	for i, g := range e.record.Groups {
		if !e.whole[i] {
			sum += int64(g.Size)
		}
	}
	return sum
}

// verify holds what is around the groups against the record.
func (e *Earlier) verify(ctx context.Context) error {
	sb := e.r.sb
	for _, part := range []struct {
		name       string
		start, end uint64
		want       [sha256.Size]byte
	}{
		{"head", 0, e.r.data.start, e.record.Head},
		{"tables", sb.InodeTable, sb.BytesUsed, e.record.Tables},
	} {
		sum, err := e.sum(ctx, part.start, part.end-part.start)
		if err != nil {
			return err
		}
		if sum != part.want {
			return fmt.Errorf("its %s are not what they were when it was written", part.name)
		}
	}
	return nil
}

// verifyGroups finds out which groups are what the record says.
func (e *Earlier) verifyGroups(ctx context.Context, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, g := range e.record.Groups {
		group.Go(func() error {
			sum, err := e.sum(ctx, g.Start, g.Size)
			e.whole[i] = err == nil && sum == g.Sum // what cannot be read is not taken
			return ctx.Err()
		})
	}
	return group.Wait()
}

func (e *Earlier) sum(ctx context.Context, start, size uint64) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	section := io.NewSectionReader(e.r.src, int64(start), int64(size))
	src := readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return section.Read(p)
	})
	n, err := io.CopyBuffer(h, src, make([]byte, 256<<10))
	if err == nil && uint64(n) != size {
		err = io.ErrUnexpectedEOF
	}
	return [sha256.Size]byte(h.Sum(nil)), err
}

// readerFunc is a function as an io.Reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// fragment returns an entry of the fragment table.
func (e *Earlier) fragment(number uint32) (f disk.FragmentEntry, err error) {
	if err := e.r.row(&e.r.fragments, uint64(number), &f); err != nil {
		return f, err
	}
	_, err = e.r.placedFragment(f)
	return f, err
}

// keptTree makes branches of what the earlier image has.
type keptTree struct {
	walker *walker
	perm   Permissions
	to     *tree.Builder
}

// entry returns the root entry of a name.
func (e *Earlier) entry(name string, perm Permissions) (*tree.Branch, error) {
	ino, err := e.r.Lookup(name)
	if err != nil {
		return nil, err
	}
	k := &keptTree{walker: e.r.newWalker(), perm: perm, to: tree.NewBuilder()}
	n, err := k.node(name, ino)
	if err != nil {
		return nil, err
	}
	if top := k.to.Add(0, []tree.Node{n}); n.Kind == disk.TypeDir {
		if err := k.below(top, ino, len(name)); err != nil {
			return nil, err
		}
	}
	return k.to.Branch(), nil
}

// node is what the image has under a name.
func (k *keptTree) node(name string, ino Inode) (tree.Node, error) {
	n := tree.Node{Name: name, Kind: ino.kind, Perm: modeBits(ino.Mode), FromEarlier: true}
	if n.Kind != disk.TypeSymlink {
		n.Perm = modeBits(k.perm(ino.Mode))
	}
	var err error
	switch n.Kind {
	case disk.TypeFile:
		n.Size = uint64(ino.Size)
		n.Kept, err = k.walker.r.locate(ino)
	case disk.TypeSymlink:
		n.Target = ino.Target
	case disk.TypeDir:
	default:
		err = fmt.Errorf("%s: of type %s", name, ino.Mode.Type())
	}
	return n, err
}

// below adds what is in a directory and below it, which has a path of so many bytes.
func (k *keptTree) below(number uint32, dir Inode, path int) error {
	if err := k.walker.admit(dir); err != nil {
		return err
	}
	var children []tree.Node
	var inside []Inode // directories
	for e, err := range k.walker.r.Entries(dir) {
		if err != nil {
			return err
		}
		ino, err := k.walker.r.Inode(e)
		if err != nil {
			return err
		}
		if path+len("/")+len(e.Name) >= pathMax {
			return fmt.Errorf("path of %d bytes", path+len("/")+len(e.Name))
		}
		n, err := k.node(e.Name, ino)
		if err != nil {
			return err
		}
		if n.Kind == disk.TypeDir {
			inside = append(inside, ino)
		}
		children = append(children, n)
	}
	number = k.to.Add(number, children)
	names := tree.Folders(children)
	for i, ino := range inside {
		if err := k.below(number+uint32(i), ino, path+len("/")+len(names[i])); err != nil {
			return err
		}
	}
	return nil
}

// locate finds where the contents of the file ino lie.
func (r *Reader) locate(ino Inode) (*disk.Location, error) {
	blocks, err := r.blocks(ino.file)
	if err != nil {
		return nil, err
	}
	l := &disk.Location{Start: ino.file.start, Sparse: ino.file.sparse, Fragment: ino.file.fragment, Offset: ino.file.fragmentOffset}
	for _, b := range blocks {
		l.Sizes = append(l.Sizes, b.size)
	}
	return l, nil
}
