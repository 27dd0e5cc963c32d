package device

import "bytes"

// Replace writes something over a part of a device that holds an image, makes it last and
// reads it back. The first block comes last: of what is interrupted it has zeros.
func (dev *Device) Replace(offset int64, data []byte) error {
	start, end := offset/blockSize*blockSize, min(roundUp(offset+int64(len(data))), dev.Disk.Size)
	wanted, err := newBuffer(int(end - start))
	if err != nil {
		return err
	}
	defer freeBuffer(wanted)
	if err := dev.read(start, wanted); err != nil {
		return err
	}
	first := min(blockSize, len(wanted))
	empty, err := newBuffer(first)
	if err != nil {
		return err
	}
	defer freeBuffer(empty)
	copy(empty, wanted[:min(int64(first), offset-start)])
	copy(wanted[offset-start:], data)
	if behind := offset - start + int64(len(data)); behind < int64(first) { // what is behind it stays
		copy(empty[behind:], wanted[behind:first])
	}
	for _, step := range []struct {
		at   int64
		data []byte
	}{{start, empty}, {start + int64(first), wanted[first:]}, {start, wanted[:first]}} {
		if len(step.data) == 0 {
			continue
		}
		if err := dev.write(step.at, step.data); err != nil {
			return err
		}
		if err := dev.sync(); err != nil {
			return err
		}
	}
	there, err := newBuffer(len(wanted))
	if err != nil {
		return err
	}
	defer freeBuffer(there)
	if err := dev.read(start, there); err != nil {
		return err
	}
	if !bytes.Equal(there, wanted) {
		return &DifferenceError{dev.Disk.Path, start + int64(firstDifference(there, wanted)), 1}
	}
	return nil
}
