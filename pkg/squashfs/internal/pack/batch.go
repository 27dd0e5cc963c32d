package pack

import "github.com/livebuild/livebuild/pkg/squashfs/internal/likeness"

// batch is a piece that holds several whole small files.
type batch struct {
	future
	files  []batchFile
	sketch bool   // sketches are wanted
	raw    []byte // a buffer with the files' contents, one after the other

	askedFor int // its share of askedFor
}

type batchFile struct {
	smallFile
	bytes  []byte // the contents
	sum    digest // if it is not decided
	sketch likeness.Sketch
}

// batchFiles bounds the files of a batch. Handing over a piece costs about a
// microsecond, opening and reading a small file ten.
const batchFiles = 256

// askedFor is how many files, which stay open, a disk is asked for before any is
// waited for: all readers together. A process may have 1024 files open at least.
const askedFor = 256

// batchOf is how many of the files are in the next batch.
func batchOf(files []smallFile, blockSize int) (n int) {
	bytes := 0
	for n < len(files) && n < batchFiles && bytes+int(files[n].source.size) <= blockSize {
		bytes += int(files[n].source.size)
		n++
	}
	return n
}

func newBatch(files []smallFile, sketch bool, askedFor int) *batch {
	b := &batch{future: newFuture(), files: make([]batchFile, len(files)), sketch: sketch, askedFor: askedFor}
	for i, f := range files {
		b.files[i] = batchFile{smallFile: f}
	}
	return b
}

// read reads the files.
func (b *batch) read(free *buffers) (err error) {
	b.raw = free.get()
	var waiting []func() error
	wait := func() {
		for _, rest := range waiting {
			if failure := rest(); err == nil {
				err = failure
			}
		}
		waiting = waiting[:0]
	}
	at := 0
	for i := range b.files {
		f := &b.files[i]
		end := at + int(f.source.size)
		// What a file has more than it should is written over the beginning of
		// the next one, but then there is an error.
		rest, failure := f.source.begin(b.raw[at : end+1])
		if failure != nil {
			err = failure
			break
		}
		f.bytes = b.raw[at:end:end]
		at = end
		if rest != nil {
			waiting = append(waiting, rest)
		}
		if len(waiting) >= b.askedFor {
			if wait(); err != nil {
				return err
			}
		}
	}
	wait()
	return err
}

// work hashes the files that may be equal to another, and sketches all.
func (b *batch) work(w *worker) error {
	for i := range b.files {
		f := &b.files[i]
		if !f.decided {
			f.sum = w.digester.contents(f.bytes)
		}
		if b.sketch {
			f.sketch = likeness.NewSketch(f.bytes)
		}
	}
	return nil
}
