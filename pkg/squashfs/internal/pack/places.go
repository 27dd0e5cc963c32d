package pack

import "github.com/livebuild/livebuild/pkg/squashfs/internal/disk"

// places says of each file whose contents it has, and where these lie, in 8 bytes: there are as
// many as files, and most lie in a fragment block. Who owns contents is decided before anything is
// written, by the planner or the assembler; where they lie is written down by the storer alone,
// but for the offset in a fragment block, which comes from the assembler before.
type places struct {
	rows  []row           // by file number
	large []disk.Location // of files with blocks
}

// row is what is known of a file.
type row struct {
	what  uint32
	value uint32
}

// What is known of a file. From inFragment on, it is in the fragment block of the number that is
// left, at an offset.
const (
	undecided  = iota // or no file with contents
	hashed            // beforehand; the value is the place among the sums
	duplicate         // of a file with the number that is the value
	owned             // and in no place yet, or in a fragment block at an offset
	inBlocks          // the value is the place among the large files
	inFragment        // the first one
)

func newPlaces(most int) *places { return &places{rows: make([]row, most+1)} }

// own makes a file the owner of its contents.
func (p *places) own(number uint32) { p.rows[number] = row{what: owned} }

// share decides that a file is stored with another one, if that is not itself.
func (p *places) share(number, owner uint32) {
	if p.own(number); owner != number {
		p.rows[number] = row{duplicate, owner}
	}
}

// decided says whether it is known with which file one is stored.
func (p *places) decided(number uint32) bool { return p.rows[number].what > hashed }

// owns says whether a file is stored for itself.
func (p *places) owns(number uint32) bool { return p.rows[number].what > duplicate }

// put notes where the contents of their owner lie.
func (p *places) put(number uint32, l disk.Location) {
	if len(l.Sizes) == 0 && l.Fragment < disk.InvalidFragment-inFragment {
		p.rows[number] = row{inFragment + l.Fragment, l.Offset}
		return
	}
	p.rows[number] = row{inBlocks, uint32(len(p.large))}
	p.large = append(p.large, l)
}

// location is where the contents of a file lie.
func (p *places) location(number uint32) disk.Location {
	r := p.rows[number]
	if r.what == duplicate {
		r = p.rows[r.value]
	}
	switch {
	case r.what == inBlocks:
		return p.large[r.value]
	case r.what >= inFragment:
		return disk.Location{Fragment: r.what - inFragment, Offset: r.value}
	}
	return disk.Location{Fragment: disk.InvalidFragment}
}
