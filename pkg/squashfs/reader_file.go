package squashfs

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/blockcache"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// fileParts is where a file's contents lie in the image: blocks in a row, and
// for the tail, if the file has one, a part of a fragment block.
type fileParts struct {
	size      int64
	blockSize uint32
	blocks    []placedBlock
	fragment  disk.FragmentEntry
	offset    uint32 // of the tail in the uncompressed fragment block
	tail      uint32 // its length, 0 if the last bytes are in a block
}

// placedBlock is a data or fragment block in the image.
type placedBlock struct {
	start uint64 // in bytes from the start of the image
	size  uint32 // in the image, with dataStored; 0 for an all-zero block, which takes no room
}

func (b placedBlock) length() uint64 { return uint64(b.size &^ disk.DataStored) }
func (b placedBlock) stored() bool   { return b.size&disk.DataStored != 0 }

// parts reads where the contents of the regular file ino lie.
func (r *Reader) parts(ino Inode) (fileParts, error) {
	if !ino.Mode.IsRegular() {
		return fileParts{}, fmt.Errorf("inode %d is not a regular file", ino.Number)
	}
	l := fileParts{size: ino.Size, blockSize: r.sb.BlockSize, offset: ino.file.fragmentOffset, tail: ino.file.tail}
	var err error
	if l.blocks, err = r.blocks(ino.file); err != nil {
		return fileParts{}, fmt.Errorf("reading block list of inode %d: %w", ino.Number, err)
	}
	if l.tail > 0 {
		if err := r.row(&r.fragments, uint64(ino.file.fragment), &l.fragment); err != nil {
			return fileParts{}, err
		}
	}
	return l, nil
}

// blocks reads the sizes of a file's blocks, which begin one behind the other.
// The list grows as it is read: the file's size alone claims any number.
func (r *Reader) blocks(f filePlace) ([]placedBlock, error) {
	if f.blocks == 0 {
		return nil, nil
	}
	c, err := r.cursorAt(r.inodes, f.sizes)
	if err != nil {
		return nil, err
	}
	var blocks []placedBlock
	start := f.start
	var p [disk.MetadataSize]byte
	for left := f.blocks; left > 0; {
		n := min(left, disk.MetadataSize/disk.BlockSizeSize)
		sizes := p[:n*disk.BlockSizeSize]
		if err := c.read(sizes); err != nil {
			return nil, err
		}
		for ; len(sizes) > 0; sizes = sizes[disk.BlockSizeSize:] {
			b := placedBlock{start: start, size: binary.LittleEndian.Uint32(sizes)}
			if b.size == disk.DataStored {
				return nil, fmt.Errorf("block %d is stored in no bytes", len(blocks))
			}
			if err := r.checkPlace(b); err != nil {
				return nil, fmt.Errorf("block %d: %w", len(blocks), err)
			}
			blocks = append(blocks, b)
			start += b.length()
		}
		left -= n
	}
	return blocks, nil
}

// checkPlace says whether a data or fragment block can be where it claims to
// be. An all-zero block is nowhere.
func (r *Reader) checkPlace(b placedBlock) error {
	if b.size == 0 {
		return nil
	}
	if b.length() > uint64(r.sb.BlockSize) {
		return fmt.Errorf("%d bytes long, %d are possible", b.length(), r.sb.BlockSize)
	}
	if b.start < r.data.start || b.start > r.data.end || r.data.end-b.start < b.length() {
		return fmt.Errorf("%d bytes at %d, the data is from %d to %d", b.length(), b.start, r.data.start, r.data.end)
	}
	return nil
}

// blockLength is the uncompressed length of block i.
func (l *fileParts) blockLength(i int) int {
	return int(min(int64(l.blockSize), l.size-int64(i)*int64(l.blockSize)))
}

// useFragment calls use with the fragment block e, decoded, which is not to be kept.
func (r *Reader) useFragment(e disk.FragmentEntry, use func(block []byte) error) error {
	b, err := r.placedFragment(e)
	if err != nil {
		return err
	}
	decode := func(buffer []byte) (int, error) {
		n, err := r.readBlock(buffer, b.start, b.length(), b.stored())
		if err != nil {
			return 0, fmt.Errorf("fragment block at %d: %w", b.start, err)
		}
		return n, nil
	}
	return r.fragmentBlocks.Use(blockcache.Key{Start: b.start, Size: b.size}, decode, use)
}

func (r *Reader) placedFragment(e disk.FragmentEntry) (placedBlock, error) {
	b := placedBlock{start: e.StartBlock, size: e.Size}
	if b.length() == 0 {
		return b, fmt.Errorf("fragment block at %d is empty", b.start)
	}
	if err := r.checkPlace(b); err != nil {
		return b, fmt.Errorf("fragment block: %w", err)
	}
	return b, nil
}

// File is an open regular file. It is safe for concurrent use, and there is
// nothing to close.
type File struct {
	r      *Reader
	number uint32
	parts  fileParts

	mu      sync.Mutex
	current int // the block that data holds
	data    []byte
}

// OpenFile opens the regular file ino.
func (r *Reader) OpenFile(ino Inode) (*File, error) {
	l, err := r.parts(ino)
	if err != nil {
		return nil, err
	}
	return &File{r: r, number: ino.Number, parts: l}, nil
}

// Size returns the length of the file's contents in bytes.
func (f *File) Size() int64 { return f.parts.size }

// ReadAt implements [io.ReaderAt].
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("reading inode %d: negative offset %d", f.number, off)
	}
	done := 0
	for done < len(p) && off < f.parts.size {
		n, err := f.readPart(p[done:], off)
		if err != nil {
			return done, fmt.Errorf("reading inode %d at %d: %w", f.number, off, err)
		}
		done += n
		off += int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// readPart reads what one block has of the file from off, which is in it, to
// the end of p.
func (f *File) readPart(p []byte, off int64) (int, error) {
	l := &f.parts
	i := off / int64(l.blockSize)
	within := int(off % int64(l.blockSize))
	if i == int64(len(l.blocks)) {
		n := 0
		err := f.r.useFragment(l.fragment, func(block []byte) error {
			if uint64(len(block)) < uint64(l.offset)+uint64(l.tail) {
				return fmt.Errorf("tail of %d bytes at %d of a fragment of %d", l.tail, l.offset, len(block))
			}
			n = copy(p, block[l.offset:][:l.tail][within:])
			return nil
		})
		return n, err
	}
	length := l.blockLength(int(i))
	if l.blocks[i].size == 0 {
		n := min(len(p), length-within)
		clear(p[:n])
		return n, nil
	}
	if within == 0 && len(p) >= length {
		return length, f.readWhole(p[:length], int(i))
	}
	data, err := f.block(int(i), length)
	if err != nil {
		return 0, err
	}
	return copy(p, data[within:]), nil
}

// block returns block i, decoded, and keeps it for the next call.
func (f *File) block(i, length int) ([]byte, error) {
	f.mu.Lock()
	data := f.data
	hit := data != nil && f.current == i
	f.mu.Unlock()
	if hit {
		return data, nil
	}
	data = make([]byte, length)
	if err := f.readWhole(data, i); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.current, f.data = i, data
	f.mu.Unlock()
	return data, nil
}

// readWhole decodes block i, which must fill p.
func (f *File) readWhole(p []byte, i int) error {
	b := f.parts.blocks[i]
	n, err := f.r.readBlock(p, b.start, b.length(), b.stored())
	if err != nil {
		return fmt.Errorf("block at %d: %w", b.start, err)
	}
	if n != len(p) {
		return fmt.Errorf("block at %d of %d bytes, the file needs %d", b.start, n, len(p))
	}
	return nil
}
