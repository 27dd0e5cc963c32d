package pack

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/bits"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// digest stands for contents: files with equal ones are equal. It is half of a SHA-256 whose
// beginning is a random key. Nobody can look for two files of one digest before it is drawn, and
// by chance two of 2^32 files have one with a probability of 2^-65. Since it is known to nobody,
// no byte of an image depends on it.
type digest [2]uint64

// keys are drawn for one image.
type keys struct {
	contents, locations [16]byte
}

func newKeys() *keys {
	k := &keys{}
	rand.Read(k.contents[:])
	rand.Read(k.locations[:])
	return k
}

// digester makes digests, in one goroutine.
type digester struct {
	keys *keys
	hash hash.Hash
	room [sha256.Size]byte
	line []byte
}

func newDigester(k *keys) *digester { return &digester{keys: k, hash: sha256.New()} }

func (d *digester) begin(key *[16]byte) {
	d.hash.Reset()
	d.hash.Write(key[:])
}

func (d *digester) end() digest {
	p := d.hash.Sum(d.room[:0])
	return digest{binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])}
}

// contents is the digest of a file with contents p.
func (d *digester) contents(p []byte) digest {
	d.begin(&d.keys.contents)
	d.hash.Write(p)
	return d.end()
}

// location is the digest of a file of size bytes in an earlier image. Files of one size that
// share blocks need not be equal in an image of another maker: one can have a hole where the
// other has its second block.
func (d *digester) location(size uint64, l *disk.Location) digest {
	p := binary.LittleEndian.AppendUint64(d.line[:0], size)
	p = binary.LittleEndian.AppendUint64(p, l.Start)
	p = binary.LittleEndian.AppendUint32(p, l.Fragment)
	p = binary.LittleEndian.AppendUint32(p, l.Offset)
	for _, size := range l.Sizes {
		p = binary.LittleEndian.AppendUint32(p, size)
	}
	d.line = p
	d.begin(&d.keys.locations)
	d.hash.Write(p)
	return d.end()
}

// firsts knows the first file with some contents: a hash table without pointers, of 23 bytes for
// each file that may come.
type firsts struct {
	digests []digest
	owners  []uint32 // 0: there is none
	most    int
}

func newFirsts(most int) *firsts { return &firsts{most: most} }

// of returns the first file with some contents, which becomes number if there is none.
func (t *firsts) of(d digest, number uint32) (first uint32) {
	if t.owners == nil {
		size := t.most + t.most/7 + 1
		t.digests, t.owners = make([]digest, size), make([]uint32, size)
	}
	place, _ := bits.Mul64(d[0], uint64(len(t.owners)))
	for at := int(place); ; at++ {
		if at == len(t.owners) {
			at = 0
		}
		switch {
		case t.owners[at] == 0:
			t.digests[at], t.owners[at] = d, number
			return number
		case t.digests[at] == d:
			return t.owners[at]
		}
	}
}
