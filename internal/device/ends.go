package device

import (
	"bytes"
	"errors"
)

const (
	// headSize is the beginning of an image that is written last: partition
	// tables, volume descriptors, boot catalog.
	headSize = 1 << 20

	// tailSize is the end of a device that is cleared: the backup GPT (UEFI
	// 2.10 §5.3.1: 33 sectors), the last two labels of ZFS (512 KiB), the
	// superblocks of md 0.90 and 1.0 and of firmware RAIDs.
	tailSize = 1 << 20
)

// unfinished stands at the beginning of a device between the first change to
// it and the last one: for people who look, and for the next run.
var unfinished = []byte("livebuild: this disk was not written to the end.\n")

// Unfinished reports whether a device was begun and not finished: comparing it
// with an image is then worth the reading.
func Unfinished(dev *Device) bool {
	b := make([]byte, len(unfinished))
	_, err := dev.ReadAt(b, 0)
	return err == nil && bytes.Equal(b, unfinished)
}

// void makes the device look empty, before anything else on it changes: the
// end first, since firmware that finds no GPT at the beginning restores it from
// the backup at the end (EDK II, PartitionDxe).
func (g *target) void() error {
	if g.voided {
		return nil
	}
	g.voided = true
	empty, err := newBuffer(max(headSize, len(g.tail)))
	if err != nil {
		return err
	}
	defer freeBuffer(empty)
	if g.besides != nil {
		if err := g.note(); err != nil {
			return err
		}
	}
	if len(g.tail) > 0 {
		if err := g.write(g.tailStart, empty[:len(g.tail)]); err != nil {
			return err
		}
	}
	copy(empty, g.marker())
	if err := g.write(0, empty[:min(headSize, g.dev.Disk.Size)]); err != nil {
		return err
	}
	return g.sync()
}

// finish does what comes after the body.
func (g *target) finish(size int64) error {
	g.total = size
	if err := g.extend(size); err != nil {
		return err
	}
	if g.mode == Compare {
		if err := g.compareEnds(); err != nil {
			return err
		}
		g.result.Verified = true
		return nil
	}
	same := false
	if g.mode == Update && !g.voided {
		var err error
		if same, err = g.endsEqual(); err != nil {
			return err
		}
	}
	late := int64(len(g.head)) + max(0, size-g.tailStart)
	if same {
		g.result.Equal += late
	} else {
		g.result.Written += late
		if err := g.void(); err != nil {
			return err
		}
		g.report(Syncing)
		if err := g.sync(); err != nil {
			return err
		}
	}
	// Nothing that is not verified has a beginning.
	if g.t.options.Verify {
		if err := g.verify(size); err != nil {
			return g.fallen(err)
		}
	}
	if err := g.fill(); err != nil {
		return g.fallen(err)
	}
	if !same {
		if err := g.writeEnds(); err != nil {
			return g.fallen(err)
		}
	}
	g.result.Verified = g.t.options.Verify
	g.result.Written = min(g.result.Written, size)
	g.result.Equal = min(g.result.Equal, size-g.result.Written)
	return nil
}

// fallen empties the ends of a device that failed at the last, whatever is
// there now: a disk that is smaller than it says writes its end over them.
func (g *target) fallen(err error) error {
	g.voided = false
	return errors.Join(err, g.void())
}

// endsEqual reports whether head and tail of the device are as they shall be.
func (g *target) endsEqual() (bool, error) {
	head := g.buffer[:len(g.head)]
	if err := g.read(0, head); err != nil {
		return false, err
	}
	if !bytes.Equal(head, g.head) {
		return false, nil
	}
	tail := g.buffer[:len(g.tail)]
	if err := g.read(g.tailStart, tail); err != nil {
		return false, err
	}
	return bytes.Equal(tail, g.tail), nil
}

// writeEnds writes what makes the device an image.
func (g *target) writeEnds() error {
	g.report(Syncing)
	if len(bytes.Trim(g.tail, "\x00")) > 0 { // else it is empty already
		if err := g.write(g.tailStart, g.tail); err != nil {
			return err
		}
		if err := g.sync(); err != nil {
			return err
		}
	}
	if err := g.write(0, g.head); err != nil {
		return err
	}
	if err := g.sync(); err != nil {
		return err
	}
	if !g.t.options.Verify {
		return nil
	}
	return g.checkEnds()
}
