// Package transfer brings an image here from a web server, downloading only what no image that is
// here already has.
//
// A [Plan] says of each piece of the image where it comes from, before anything is written; its
// Write puts them together. An image without an index is a [Plain] download. Both write to a
// [Partial], which stays when they are interrupted, so that the next try goes on there, and which
// becomes the file at once, when it is whole.
//
// Nothing is believed because somebody says it: each piece is held against its sum in the index
// when it is in its place. Whether the index is true, a checksum of the image tells, which is the
// business of whoever has one.
package transfer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/livebuild/livebuild/internal/index"
)

// Seed is an image that is here, to take pieces from. It may be damaged, and change meanwhile.
type Seed struct {
	Name string
	io.ReaderAt
	Index *index.Index
}

// Plan says where the pieces of an image come from.
type Plan struct {
	Size  int64 // of the image, in bytes
	Fetch int64 // bytes that no seed has
	Saved int64 // bytes that come from seeds

	steps []step // in the order of the image
	seeds []Seed
}

// step is a piece of the image, and where it comes from.
type step struct {
	index.Piece
	seed int   // of Plan.seeds; overTheWire: of none
	at   int64 // where the seed has it
}

const overTheWire = -1

// NewPlan decides for each piece of an image which seed it comes from: the first that has it.
func NewPlan(target *index.Index, seeds []Seed) *Plan {
	type place struct {
		seed int
		at   int64
	}
	type content struct {
		sum  [sha256.Size]byte
		size int64
	}
	places := map[content]place{}
	for i, s := range seeds {
		for _, p := range s.Index.Pieces {
			if p.Loose {
				continue
			}
			key := content{p.Sum, p.Size}
			if _, known := places[key]; !known {
				places[key] = place{i, p.Offset}
			}
		}
	}
	p := &Plan{Size: target.Size, seeds: seeds}
	for _, piece := range target.Pieces {
		s := step{Piece: piece, seed: overTheWire}
		if from, ok := places[content{piece.Sum, piece.Size}]; ok && !piece.Loose {
			s.seed, s.at = from.seed, from.at
			p.Saved += piece.Size
		} else {
			p.Fetch += piece.Size
		}
		p.steps = append(p.steps, s)
	}
	return p
}

// Source is where what no seed has comes from.
type Source interface {
	// Fetch writes a part of the image, each byte once and in order.
	Fetch(ctx context.Context, offset, size int64, w io.Writer) error
}

// File is what an image is written to.
type File interface {
	io.ReaderAt
	io.WriterAt
}

// Options say how a plan is carried out.
type Options struct {
	// Begun says that the file may have pieces already, and anything else.
	Begun bool
	// Streams is how many parts are asked for at a time, by default 4.
	Streams int
	// Arrived, if set, is told of each piece that is in its place and right, by several goroutines.
	Arrived func(index.Piece)
	// Progress, if set, is told how far it is, by several goroutines.
	Progress func(Progress)
}

// Progress is how far a transfer is, in bytes of the image.
type Progress struct {
	Fetched int64 // over the wire
	Fetch   int64 // that are to come over the wire, as far as it is known
	Saved   int64 // that were here
	Total   int64
}

// Result is what became of a transfer, in bytes of the image.
type Result struct {
	Fetched int64 // over the wire
	Saved   int64 // from seeds
	Kept    int64 // that the file had already
	Damaged int64 // of what seeds were to have, and had not
}

// CorruptError says that a server gives bytes that are not those of the image.
type CorruptError struct {
	Offset, Size int64
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the %d bytes at %d that the server gives are not those of its own index", e.Size, e.Offset)
}
