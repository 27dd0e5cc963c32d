package hybridiso

import "slices"

// systemUse is the system use entries of one directory record: those in the
// record itself, and those that go on in the continuation area.
type systemUse struct {
	inline []byte
	chunks []chunk
}

// chunk is a run of entries within one block of the continuation area. It
// ends with a CE entry if another chunk follows.
type chunk struct {
	entries []byte
	offset  int64 // within the area
	length  int64 // with the CE entry
}

// continuations is the continuation area of a hierarchy.
type continuations struct {
	block int64 // of the image
	size  int64
	uses  []systemUse // those with chunks
}

// plan divides entries between a record with room for so many bytes and the
// continuation area.
func (c *continuations) plan(entries [][]byte, room int) systemUse {
	inline, rest := take(entries, room)
	use := systemUse{inline: inline}
	for len(rest) > 0 {
		var body []byte
		body, rest = take(rest, blockSize)
		length := int64(len(body))
		if len(rest) > 0 {
			length += continuationLength
		}
		use.chunks = append(use.chunks, chunk{body, c.allocate(length), length})
	}
	if len(use.chunks) > 0 {
		c.uses = append(c.uses, use)
	}
	return use
}

// take returns the entries that fit into room, with space left for the CE
// entry if not all of them do.
func take(entries [][]byte, room int) (taken []byte, rest [][]byte) {
	if all := slices.Concat(entries...); len(all) <= room {
		return all, nil
	}
	i := 0
	for len(taken)+len(entries[i])+continuationLength <= room {
		taken = append(taken, entries[i]...)
		i++
	}
	return taken, entries[i:]
}

// allocate reserves length bytes that do not cross a block boundary, which
// Linux refuses (fs/isofs/rock.c, rock_continue).
func (c *continuations) allocate(length int64) (offset int64) {
	offset = c.size
	if offset/blockSize != (offset+length-1)/blockSize {
		offset = alignUp(offset, blockSize)
	}
	c.size = offset + length
	return offset
}

// length returns the number of bytes that the entries take in their record.
func (u systemUse) length() int {
	if len(u.chunks) > 0 {
		return len(u.inline) + continuationLength
	}
	return len(u.inline)
}

// render returns the bytes of the entries in their record. Addresses are
// relative to block base of the image.
func (u systemUse) render(c *continuations, base int64) []byte {
	if len(u.chunks) == 0 {
		return u.inline
	}
	return append(slices.Clone(u.inline), c.pointer(u.chunks[0], base)...)
}

// pointer returns the CE entry that leads to next.
func (c *continuations) pointer(next chunk, base int64) []byte {
	return encode(continuationArea{
		suspHeader: newSUSPHeader("CE", continuationLength),
		Block:      newBoth32(uint32(c.block + next.offset/blockSize - base)),
		Offset:     newBoth32(uint32(next.offset % blockSize)),
		Length:     newBoth32(uint32(next.length)),
	})
}

// render returns the whole area.
func (c *continuations) render(base int64) []byte {
	area := make([]byte, c.size)
	for _, use := range c.uses {
		for i, part := range use.chunks {
			n := copy(area[part.offset:], part.entries)
			if i+1 < len(use.chunks) {
				copy(area[part.offset+int64(n):], c.pointer(use.chunks[i+1], base))
			}
		}
	}
	return area
}
