package squashfs

import (
	"context"
	"fmt"
	"sync"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// Finding is one thing that is wrong with an image.
type Finding struct {
	// Structure is what of the format it is in: "superblock", "inode table",
	// "directory table", "fragment table", "export table", "extended attributes"
	// for the table as such, "inode" and "directory" for one in it, "data block",
	// "fragment block".
	Structure string

	Offset int64  // in the image, in bytes, of the structure or the block that holds it; -1 if there is no such place
	Path   string // of a file that it concerns, from the root directory, which is "."; empty if there is none
	Others int    // further files with a part in the same block
	Err    error  // what is wrong
}

func (f Finding) Error() string {
	where := f.Structure
	if f.Offset >= 0 {
		where = fmt.Sprintf("%s at %d", where, f.Offset)
	}
	switch {
	case f.Others > 0:
		where = fmt.Sprintf("%q and %d other files: %s", f.Path, f.Others, where)
	case f.Path != "":
		where = fmt.Sprintf("%q: %s", f.Path, where)
	}
	return fmt.Sprintf("%s: %v", where, f.Err)
}

func (f Finding) Unwrap() error { return f.Err }

// Check reads all of the image and returns the first thing that [Reader.Findings]
// finds, a [Finding], or nil.
func (r *Reader) Check(ctx context.Context) error {
	return r.Findings(ctx, func(f Finding) error { return f })
}

// Findings reads all of the image and calls found for each thing that is wrong,
// one at a time: a block that cannot be decoded or has another length than its
// file needs, blocks that overlap, an inode, listing or directory index that
// contradicts another, a count that does not hold. What is behind something
// broken is checked as far as it can be found. The image holds no checksums, so
// damage that leaves everything in its place is not found.
//
// An error of found ends the check and is returned; others are those of ctx.
func (r *Reader) Findings(ctx context.Context, found func(Finding) error) error {
	c := r.newChecker(ctx, found)
	return c.run(c.tables, c.needFragments, c.tree, c.counts, c.decodeBlocks)
}

// StructureFindings is [Reader.Findings] without what takes reading the contents of files: it
// reads the tables alone. It is for those who read the contents themselves.
func (r *Reader) StructureFindings(ctx context.Context, found func(Finding) error) error {
	c := r.newChecker(ctx, found)
	return c.run(c.tables, c.needFragments, c.tree, c.counts)
}

func (r *Reader) newChecker(ctx context.Context, found func(Finding) error) *checker {
	return &checker{
		r:      r,
		ctx:    ctx,
		found:  found,
		inodes: make(map[uint32]*checkedInode),
		blocks: make(map[uint64]*checkedBlock),
		lists:  make(map[uint32]bool),
		values: make(map[disk.InodeRef]bool),
	}
}

func (c *checker) run(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return c.ctx.Err()
}

// checker is one run of Findings.
type checker struct {
	r   *Reader
	ctx context.Context

	mu    sync.Mutex
	found func(Finding) error
	torn  bool // not all of the tree was seen

	inodeBytes uint64 // of the inode table that no inode has claimed
	listBytes  uint64 // of the directory table
	inodes     map[uint32]*checkedInode
	blocks     map[uint64]*checkedBlock // by position

	xattrBytes uint64                 // of the extended attributes that no list has claimed
	valueBytes uint64                 // of them that no list has claimed as the value of another
	lists      map[uint32]bool        // of attributes, by number, that were read
	values     map[disk.InodeRef]bool // of other lists that were read
}

// find hands a finding on. A place that the image claims, and that is not in it, is none.
func (c *checker) find(structure string, offset uint64, path string, err error) error {
	f := Finding{Structure: structure, Offset: int64(offset), Path: path, Err: err}
	if offset >= c.r.sb.BytesUsed {
		f.Offset = -1
	}
	return c.report(f)
}

func (c *checker) report(f Finding) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found(f)
}

// tables decodes the tables of metadata.
func (c *checker) tables() (err error) {
	if c.inodeBytes, err = c.table(c.r.inodes); err != nil {
		return err
	}
	if c.listBytes, err = c.table(c.r.listings); err != nil {
		return err
	}
	c.xattrBytes, err = c.table(c.r.xattrs)
	c.valueBytes = c.xattrBytes
	return err
}

// table decodes every metadata block of a table and returns how many bytes
// they hold, or at most can hold. All but the last must be full: readers compute
// with that.
func (c *checker) table(s section) (uint64, error) {
	total, last := uint64(0), disk.MetadataSize
	for pos := s.start; pos < s.end; {
		if err := c.ctx.Err(); err != nil {
			return 0, err
		}
		b, err := c.r.metadataBlock(pos, s.end)
		if err != nil {
			if err := c.find(s.name, pos, "", err); err != nil {
				return 0, err
			}
			h, err := c.r.metadataHeader(pos, s.end)
			if err != nil {
				return total + metadataRoom(pos, s.end), nil
			}
			b = cachedBlock{data: make([]byte, disk.MetadataSize), end: h.end()}
		}
		if last != disk.MetadataSize {
			if err := c.find(s.name, pos, "", fmt.Errorf("the block before this one holds only %d bytes", last)); err != nil {
				return 0, err
			}
		}
		last = len(b.data)
		total += uint64(last)
		pos = b.end
	}
	return total, nil
}
