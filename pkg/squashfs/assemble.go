package squashfs

import "crypto/sha256"

// assemble passes blocks on and puts small files into fragment blocks, each
// content once.
func (p *pipeline) assemble() error {
	defer close(p.assembled)
	a := &assembler{pipeline: p, known: make(map[contentKey]*content)}
	for x := range p.planned {
		var err error
		switch x := x.(type) {
		case *block:
			err = send(p.ctx, p.assembled, x)
		case *batch:
			err = a.batch(x)
		}
		if err != nil {
			return err
		}
	}
	return a.endFragment()
}

type assembler struct {
	*pipeline
	known    map[contentKey]*content
	fragment *block // being filled, or nil
	index    uint32 // of that fragment
}

// contentKey identifies contents: two files with equal keys are equal.
type contentKey struct {
	size uint64
	sum  [sha256.Size]byte
}

func (a *assembler) batch(b *batch) error {
	if err := b.wait(a.ctx); err != nil {
		return err
	}
	at := 0
	for i := range b.files {
		f := &b.files[i]
		end := at + int(f.node.size)
		key := contentKey{f.node.size, f.sum}
		if c, ok := a.known[key]; f.hash && ok {
			f.node.content = c
			a.result.summary.DuplicateFiles++
			a.result.summary.DuplicateBytes += int64(f.node.size)
			a.skipped.Add(int64(f.node.size))
		} else {
			c, err := a.append(b.raw[at:end])
			if err != nil {
				return err
			}
			f.node.content = c
			if f.hash {
				a.known[key] = c
			}
		}
		at = end
	}
	a.buffers.put(b.raw)
	return nil
}

// append puts a file's contents into the fragment block being filled, or into
// a new one.
func (a *assembler) append(p []byte) (*content, error) {
	if a.fragment != nil && a.fragment.length+len(p) > a.blockSize {
		if err := a.endFragment(); err != nil {
			return nil, err
		}
	}
	if a.fragment == nil {
		a.fragment = &block{future: newFuture(), raw: a.buffers.get()}
	}
	c := &content{fragment: a.index, offset: uint32(a.fragment.length)}
	a.fragment.length += copy(a.fragment.raw[a.fragment.length:], p)
	return c, nil
}

// endFragment hands on the fragment block being filled, if there is one.
func (a *assembler) endFragment() error {
	b := a.fragment
	if b == nil {
		return nil
	}
	a.fragment = nil
	a.index++
	if err := send(a.ctx, a.assembled, b); err != nil {
		return err
	}
	return send[piece](a.ctx, a.pool, b)
}
