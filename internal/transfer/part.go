package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync/atomic"

	"github.com/livebuild/livebuild/internal/index"
)

// Server is an image on a server, to be read in parts.
type Server interface {
	Source
	io.ReaderAt
}

// Part is an image of which some pieces are brought here, and the others are left where they are. It
// is an io.ReaderAt: until it is said what is wanted it reads from the server; from then on of the
// pieces what was wanted, for which it waits, and nothing of the others. Between pieces it reads from
// the server as before.
type Part struct {
	server  Server
	scratch File
	size    int64
	stop    context.CancelFunc
	ended   chan struct{} // when nothing comes any more; nil before anything is wanted
	err     error         // after ended
	fetched atomic.Int64

	pieces []arrival // all of them, in order
}

// arrival is a piece that is wanted, or not.
type arrival struct {
	index.Piece
	here chan struct{} // closed when it is there; nil: it is not wanted
}

// errLeft says that a piece is not here, and is not going to be.
var errLeft = errors.New("was left on the server")

// NewPart returns an image of size bytes on a server, of which nothing is here. What is wanted goes to
// a scratch file.
func NewPart(server Server, size int64, scratch File) *Part {
	return &Part{server: server, scratch: scratch, size: size}
}

// Size is that of the image, in bytes.
func (p *Part) Size() int64 { return p.size }

// Fetched is how many bytes of pieces have come.
func (p *Part) Fetched() int64 { return p.fetched.Load() }

// Want begins to bring some of the pieces of an image, and returns at once. It is called once. With
// the context it ends, and with Close.
func (p *Part) Want(ctx context.Context, pieces []index.Piece, wanted func(index.Piece) bool) {
	ctx, p.stop = context.WithCancel(ctx)
	plan := &Plan{Size: p.size}
	arrivals := map[int64]chan struct{}{}
	for _, piece := range pieces {
		a := arrival{Piece: piece}
		if wanted(piece) {
			a.here = make(chan struct{})
			arrivals[piece.Offset] = a.here
			plan.steps = append(plan.steps, step{Piece: piece, seed: overTheWire})
			plan.Fetch += piece.Size
		}
		p.pieces = append(p.pieces, a)
	}
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		_, p.err = plan.Write(ctx, p.scratch, p.server, Options{Arrived: func(piece index.Piece) {
			p.fetched.Add(piece.Size)
			close(arrivals[piece.Offset])
		}})
	}()
}

// Close ends what is under way.
func (p *Part) Close() error {
	if p.ended != nil {
		p.stop()
		<-p.ended
	}
	return nil
}

// Failed is why pieces that were wanted did not come, or nil.
func (p *Part) Failed() error {
	if p.ended == nil {
		return nil
	}
	select {
	case <-p.ended:
		return p.err
	default:
		return nil
	}
}

// ReadAt reads, and waits for what is wanted.
func (p *Part) ReadAt(b []byte, offset int64) (n int, err error) {
	if p.ended == nil {
		return p.server.ReadAt(b, offset)
	}
	for n < len(b) && err == nil {
		m := 0
		m, err = p.readOne(b[n:], offset+int64(n))
		n += m
	}
	return n, err
}

// readOne reads of one piece, or between two.
func (p *Part) readOne(b []byte, offset int64) (int, error) {
	i := sort.Search(len(p.pieces), func(i int) bool { return p.pieces[i].End() > offset })
	if i == len(p.pieces) {
		return p.server.ReadAt(b, offset)
	}
	a := p.pieces[i]
	if a.Offset > offset {
		return p.server.ReadAt(b[:min(int64(len(b)), a.Offset-offset)], offset)
	}
	if a.here == nil {
		return 0, fmt.Errorf("byte %d %w", offset, errLeft)
	}
	select {
	case <-a.here:
	case <-p.ended:
		select {
		case <-a.here:
		default:
			return 0, fmt.Errorf("byte %d did not come: %w", offset, p.err)
		}
	}
	return p.scratch.ReadAt(b[:min(int64(len(b)), a.End()-offset)], offset)
}
