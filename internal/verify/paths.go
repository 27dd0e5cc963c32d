package verify

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// job is a part of the work on the store image. Jobs are done in the order of the places where they
// read, so that what the hash of a store path and the sum of the group that it is in both need
// is read once from a slow disk, see [Cached] and order.
type job struct {
	offset int64 // in the store image
	size   int64 // tells the order of those that begin together: the larger first
	do     func() error
}

// checked is what became of the jobs.
type checked struct {
	paths  []damagedPath
	groups []damagedPart
}

// damagedPath is a store path that is not what it should be.
type damagedPath struct {
	base string
	err  error
}

// damagedPart is a part of the image that is not what its record says.
type damagedPart struct {
	squashfs.Recorded
	err error
}

// storePaths computes the hash of every store path, and holds the image against its own record.
// Only if something is wrong, the image is read again to find the places.
func (v *verifier) storePaths() error {
	if v.images == nil {
		return nil
	}
	var c checked
	if err := v.run(v.jobs(&c)); err != nil {
		return err
	}
	slices.SortFunc(c.paths, func(a, b damagedPath) int { return cmp.Compare(a.base, b.base) })
	slices.SortFunc(c.groups, func(a, b damagedPart) int { return cmp.Compare(a.Offset, b.Offset) })
	l := locator{verifier: v, groups: c.groups, explained: make([]bool, len(c.groups)), places: map[string]int64{}}
	check := v.images.StructureFindings
	if len(c.paths)+len(c.groups) > 0 || len(v.images.known) == 0 {
		check = v.images.Findings
	}
	if err := check(v.ctx, l.block); err != nil {
		return err
	}
	for _, p := range c.paths {
		if err := l.path(p); err != nil {
			return err
		}
	}
	return l.rest()
}

// jobs are the work on the store image, in order.
func (v *verifier) jobs(c *checked) []job {
	s := v.images
	var jobs []job
	total := int64(0)
	for _, base := range slices.Sorted(maps.Keys(s.known)) {
		if !s.names[base] {
			continue
		}
		total += s.known[base].NarSize
		jobs = append(jobs, job{s.first(base), s.known[base].NarSize, func() error { return v.storePath(base, c) }})
	}
	for _, part := range s.recorded {
		jobs = append(jobs, job{part.Offset, part.Size, func() error { return v.part(part, c) }})
	}
	v.done, v.report.NarBytes = 0, total
	order(jobs, total, v.options.Workers)
	return jobs
}

// order sorts jobs by the places where they read, so that what two of them need is read and
// decoded once. A store path that is so large that the others would be done long before it, were it
// the last, comes first.
func order(jobs []job, total int64, workers int) {
	large := func(j job) bool { return workers > 1 && j.size > total/int64(2*workers) }
	slices.SortStableFunc(jobs, func(a, b job) int {
		switch {
		case large(a) && !large(b):
			return -1
		case large(b) && !large(a):
			return 1
		}
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(b.size, a.size))
	})
}

// run does jobs by several workers. What was begun ends before it returns.
func (v *verifier) run(jobs []job) error {
	group, ctx := errgroup.WithContext(v.ctx)
	group.SetLimit(v.options.Workers)
	for _, j := range jobs {
		if ctx.Err() != nil {
			break
		}
		group.Go(j.do)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return v.ctx.Err()
}

// errFirst ends a walk that looks for one file.
var errFirst = errors.New("found")

// first is where in the image the contents of a store path begin, as far as that is easily told.
func (s *storeImage) first(base string) (offset int64) {
	top, err := s.Lookup(base)
	if err != nil {
		return 0
	}
	_ = s.WalkFrom(top, func(_ string, ino squashfs.Inode) error { // what is damaged is found later
		if !ino.Mode.IsRegular() {
			return nil
		}
		blocks, err := s.Blocks(ino)
		if err != nil {
			return err
		}
		switch {
		case len(blocks.Data) > 0:
			offset = blocks.Data[0].Offset
		case blocks.Tail > 0:
			offset = blocks.Fragment.Offset
		default:
			return nil
		}
		return errFirst
	})
	return offset
}

// storePath computes the hash of a store path.
func (v *verifier) storePath(base string, c *checked) error {
	want := v.images.known[base]
	hash, size, err := v.images.Nar(v.ctx, base, want.NarSize)
	switch {
	case err != nil && v.ended(err):
		return err
	case err != nil:
	case hash != want.NarHash:
		err = errorf("its NAR hash is %s, the registration says %s", sri(hash), sri(want.NarHash))
		if against := v.options.Against; against != nil && against.Closure != nil {
			err = errorf("its NAR hash is %s, not %s", sri(hash), sri(want.NarHash))
		}
	case size != want.NarSize:
		err = errorf("it has %d bytes as a Nix archive, the registration says %d", size, want.NarSize)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.StorePaths++
	v.done += want.NarSize
	if v.options.Progress != nil {
		v.options.Progress(v.done, v.report.NarBytes)
	}
	if err != nil {
		c.paths = append(c.paths, damagedPath{base, err})
	}
	return nil
}

// part holds a part of the image against its record.
func (v *verifier) part(part squashfs.Recorded, c *checked) error {
	h := sha256.New()
	section := io.NewSectionReader(v.medium.ReaderAt(), v.images.offset+part.Offset, part.Size)
	n, err := io.CopyBuffer(h, struct{ io.Reader }{progress.NewReader(v.ctx, section, nil)}, make([]byte, 256<<10))
	switch {
	case err != nil && v.ended(err):
		return err
	case err == nil && n < part.Size:
		err = io.ErrUnexpectedEOF
	case err == nil && [sha256.Size]byte(h.Sum(nil)) != part.Sum:
		err = errorf("its %d bytes are not those that were written", part.Size)
	}
	if err == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	c.groups = append(c.groups, damagedPart{part, err})
	return nil
}

// locator says where the damage is that was found.
type locator struct {
	*verifier
	groups    []damagedPart
	explained []bool           // by group: a finding names what of it is damaged
	places    map[string]int64 // of blocks that are damaged, on the medium, by the base name of a store path
}

// block takes a finding of the image's reader.
func (l *locator) block(f squashfs.Finding) error {
	base, rest, _ := strings.Cut(f.Path, "/")
	finding := Finding{Structure: "squashfs " + f.Structure, Offset: placed(l.images.offset, f.Offset), File: f.Path, Err: f.Err}
	if f.Others > 0 {
		finding.Err = errorf("%w (%d other files have a part in it)", f.Err, f.Others)
	}
	if l.images.names[base] {
		finding.StorePath, finding.File = l.images.path(base), rest
		if _, ok := l.places[base]; !ok {
			l.places[base] = finding.Offset
		}
	}
	l.explain(f.Offset)
	return l.find(finding)
}

// explain notes that a finding has named what is damaged at a place.
func (l *locator) explain(offset int64) (group int) {
	for i, g := range l.groups {
		if offset >= g.Offset && offset < g.Offset+g.Size {
			l.explained[i] = true
			return i
		}
	}
	return -1
}

// path reports a store path that is damaged, with the place of the block, or of the part, that is.
func (l *locator) path(p damagedPath) error {
	offset, ok := l.places[p.base]
	if !ok {
		offset = -1
	}
	if top, err := l.images.Lookup(p.base); err == nil && len(l.groups) > 0 {
		_ = l.images.WalkFrom(top, func(name string, ino squashfs.Inode) error { // what is damaged has been found
			if !ino.Mode.IsRegular() {
				return nil
			}
			blocks, err := l.images.Blocks(ino)
			if err != nil {
				return err
			}
			places := blocks.Data
			if blocks.Tail > 0 {
				places = append(slices.Clip(places), blocks.Fragment)
			}
			for _, b := range places {
				if g := l.explain(b.Offset); g >= 0 && offset < 0 {
					offset = l.images.offset + l.groups[g].Offset
				}
			}
			return nil
		})
	}
	return l.find(Finding{Structure: "store path", Offset: offset, StorePath: l.images.path(p.base), Err: p.err})
}

// rest reports the parts that are damaged though what they hold was read as it should be: bits that
// mean nothing, and what the tables say beside the contents of store paths.
func (l *locator) rest() error {
	for i, g := range l.groups {
		if l.explained[i] {
			continue
		}
		err := l.find(Finding{Structure: "squashfs " + g.Name, Offset: l.images.offset + g.Offset, Err: g.err})
		if err != nil {
			return err
		}
	}
	return nil
}
