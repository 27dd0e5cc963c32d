package device

// Besides is what a device has besides an image: something behind it, which stays as it is, and
// because of which the ends of the device are not those of the image.
type Besides struct {
	Limit int64 // where the image has to end, in bytes
	// Note is kept in the first sector, where all else is told by, while there are no ends.
	Note string
	// Extend returns the ends of the device for the first MiB of the image.
	Extend func(head []byte) (first, last []byte, err error)
	// Fresh are parts of the device that are written before its ends.
	Fresh []Piece
}

// Piece is a part of a device, and what shall be there: whole blocks.
type Piece struct {
	Offset int64
	Data   []byte
}

// marker is what stands at the beginning of the device for as long as it is not finished.
func (g *target) marker() []byte {
	if g.besides == nil {
		return unfinished
	}
	return append(unfinished[:len(unfinished):len(unfinished)], g.besides.Note...)
}

// note writes the marker over the first block, before the tables at the end vanish: what there is
// besides the image is known at any time.
func (g *target) note() error {
	block, err := newBuffer(blockSize)
	if err != nil {
		return err
	}
	defer freeBuffer(block)
	copy(block, g.marker())
	if err := g.write(0, block); err != nil {
		return err
	}
	return g.sync()
}

// extend replaces the ends of the image by those of the device.
func (g *target) extend(size int64) error {
	if g.besides == nil {
		return nil
	}
	first, last, err := g.besides.Extend(g.head)
	if err != nil {
		return err
	}
	g.built = append([]byte(nil), g.head...)
	copy(g.head, first)
	clear(g.tail)
	copy(g.tail[len(g.tail)-len(last):], last)
	return nil
}

// compareEnds compares the ends of the device with what they shall be, the image's included.
func (g *target) compareEnds() error {
	if g.besides == nil {
		return nil
	}
	if err := g.check(g.tailStart, g.tail); err != nil {
		return err
	}
	return g.compare(0, g.head)
}

// fill writes what is new besides the image.
func (g *target) fill() error {
	if g.besides == nil {
		return nil
	}
	for _, p := range g.besides.Fresh {
		data, err := newBuffer(len(p.Data))
		if err != nil {
			return err
		}
		defer freeBuffer(data)
		copy(data, p.Data)
		if err := g.write(p.Offset, data); err != nil {
			return err
		}
		if err := g.sync(); err != nil {
			return err
		}
		if err := g.check(p.Offset, p.Data); err != nil {
			return err
		}
	}
	return nil
}

// check compares a part of the device, at most a chunk, with what shall be there.
func (g *target) check(offset int64, want []byte) error {
	there := g.buffer[:len(want)]
	if err := g.read(offset, there); err != nil {
		return err
	}
	if i := firstDifference(there, want); i >= 0 {
		return &DifferenceError{g.dev.Disk.Path, offset + int64(i), 1}
	}
	return nil
}

// checkEnds compares the ends of the device with what they shall be.
func (g *target) checkEnds() error {
	if err := g.check(g.tailStart, g.tail); err != nil {
		return err
	}
	return g.check(0, g.head)
}
