package device

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// target is one device of a transfer and what is done with it.
type target struct {
	t     *Transfer
	index int
	dev   *Device
	mode  Mode
	queue chan *chunk // at last one without data, at the end of the image

	head, tail []byte // of the device, as they shall be; head grows to headSize
	tailStart  int64
	built      []byte   // the head as the image has it, if the device gets another one
	besides    *Besides // or nil
	buffer     []byte   // what was read

	voided bool // head and tail of the device are overwritten
	phase  Phase
	done   int64
	total  int64
	result Result

	started  time.Time
	ended    chan struct{} // run has returned
	failed   chan struct{}
	failOnce sync.Once
	err      error // after failed

	// The step at work, for watch: when it began, in nanoseconds since
	// started, plus one; 0 for none. And where it is.
	step atomic.Int64
	at   atomic.Int64
}

func newTarget(t *Transfer, index int, dev *Device) (*target, error) {
	g := &target{
		t:         t,
		index:     index,
		dev:       dev,
		mode:      t.options.Modes[index],
		queue:     make(chan *chunk, chunksAhead+1),
		tailStart: max(headSize, (dev.Disk.Size-tailSize)/blockSize*blockSize),
		phase:     Writing,
		total:     t.options.Size,
		started:   time.Now(),
		ended:     make(chan struct{}),
		failed:    make(chan struct{}),
	}
	if g.mode == Compare {
		g.phase = Verifying
	}
	if t.options.Besides != nil {
		g.besides = t.options.Besides[index]
	}
	var err error
	if g.buffer, err = newBuffer(chunkSize); err != nil {
		return nil, err
	}
	if g.head, err = newBuffer(headSize); err != nil {
		return nil, err
	}
	g.head = g.head[:0]
	if n := dev.Disk.Size - g.tailStart; n > 0 {
		g.tail, err = newBuffer(int(n))
	}
	return g, err
}

// run works on what is sent to the device until everything is done or fails.
// It can be stuck in a system call for as long as the device is; wait does not
// wait for that.
func (g *target) run() {
	defer close(g.ended)
	for {
		select {
		case <-g.failed:
			return
		case <-g.t.ctx.Done():
			g.fail(context.Cause(g.t.ctx))
			return
		case c := <-g.queue:
			if c.data == nil { // the end
				if err := g.finish(c.offset); err != nil {
					g.fail(err)
					return
				}
				g.report(Done)
				return
			}
			err := g.take(c)
			g.t.release(c)
			if err != nil {
				g.fail(err)
				return
			}
		}
	}
}

// fail ends the work on the device.
func (g *target) fail(err error) {
	g.failOnce.Do(func() {
		g.err = err
		close(g.failed)
		g.t.lost()
		go g.drain()
	})
}

// drain takes what is still sent, so that the other devices are not held up.
func (g *target) drain() {
	for {
		select {
		case c := <-g.queue:
			if c.data != nil {
				g.t.release(c)
			}
		case <-g.t.ctx.Done():
			return
		}
	}
}

// wait returns the result when there is one.
func (g *target) wait() Result {
	select {
	case <-g.ended:
	case <-g.failed:
		patience := g.t.options.Stall
		if _, stalled := g.err.(*StalledError); stalled {
			patience = 0
		}
		select {
		case <-g.ended:
		case <-time.After(patience):
			// Stuck in a system call, which keeps its memory.
			return Result{Err: g.err, Duration: time.Since(g.started)}
		}
	}
	select {
	case <-g.failed:
		g.result.Err = g.err
	default:
	}
	g.result.Duration = time.Since(g.started)
	freeBuffer(g.buffer)
	freeBuffer(g.head)
	if g.tail != nil {
		freeBuffer(g.tail)
	}
	return g.result
}

// watch gives up a device on which a step takes too long.
func (g *target) watch() {
	limit := g.t.options.Stall
	tick := time.NewTicker(max(time.Millisecond, min(time.Second, limit/10)))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			step := g.step.Load()
			if step != 0 && time.Since(g.started)-time.Duration(step-1) > limit {
				g.fail(&StalledError{g.dev.Disk.Path, g.at.Load(), limit.String()})
				return
			}
		case <-g.failed:
			return
		case <-g.ended:
			return
		}
	}
}

// do does a step that the device may not answer. A device that was given up
// meanwhile gets no further ones.
func (g *target) do(offset int64, f func() error) error {
	select {
	case <-g.failed:
		return g.err
	case <-g.t.ctx.Done():
		return context.Cause(g.t.ctx)
	default:
	}
	g.at.Store(offset)
	g.step.Store(int64(time.Since(g.started)) + 1)
	defer g.step.Store(0)
	return f()
}

func (g *target) write(offset int64, p []byte) error {
	return g.do(offset, func() error { return g.dev.write(offset, p) })
}

func (g *target) read(offset int64, p []byte) error {
	return g.do(offset, func() error { return g.dev.read(offset, p) })
}

func (g *target) sync() error { return g.do(0, g.dev.sync) }

func (g *target) report(phase Phase) {
	g.phase = phase
	done := g.done
	if g.total > 0 { // the last block is written whole
		done = min(done, g.total)
	}
	g.t.options.Progress(g.index, Progress{phase, done, g.total})
}
