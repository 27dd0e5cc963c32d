package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/livebuild/livebuild/internal/gauge"
	"github.com/livebuild/livebuild/internal/readback"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// benchmark runs packers and keeps what they took.
type benchmark struct {
	corpus  *corpus
	results *results
	runs    int // wanted of each packer in a row
	workers int
	packer  string                   // packerKey
	self    string                   // this program
	scratch string                   // folder to unpack images in
	program string                   // livebuild itself, for what is measured of it as a whole
	theirs  string                   // mksquashfs
	version string                   // of theirs
	machine string                   // that this runs on
	trees   map[string]readback.Tree // of variants, by name
}

func newBenchmark(ctx context.Context, dir, scratch, report string, runs int) (*benchmark, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // Nix refuses links above its store
		return nil, err
	}
	b := &benchmark{
		runs:    runs,
		workers: runtime.NumCPU(),
		scratch: cmp.Or(scratch, filepath.Join(dir, "images")),
		theirs:  filepath.Join(dir, "mksquashfs"),
		trees:   map[string]readback.Tree{},
	}
	if b.corpus, err = openCorpus(ctx, dir); err != nil {
		return nil, err
	}
	if b.results, err = openResults(filepath.Join(dir, "results.jsonl"), report); err != nil {
		return nil, err
	}
	if b.packer, err = packerKey("."); err != nil {
		return nil, err
	}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	version, err := os.ReadFile(filepath.Join(dir, "mksquashfs.version"))
	if err != nil {
		return nil, err
	}
	b.version = strings.TrimSpace(string(version))
	if b.machine, err = gauge.Machine(); err != nil {
		return nil, err
	}
	return b, os.MkdirAll(filepath.Join(dir, "images"), 0o755)
}

// packerKey changes with the sources of the packer and with its libraries.
func packerKey(root string) (string, error) {
	return sourcesKey(root, "pkg/squashfs", "internal/image", "go.sum")
}

// sourcesKey changes with sources, of programs and not of their tests.
func sourcesKey(root string, names ...string) (string, error) {
	h := sha256.New()
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("this runs in the root of the repository: %w", err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}

// afresh measures a row of the first table: both packers compress everything.
func (b *benchmark) afresh(ctx context.Context, r row) error {
	return b.packInTurns(ctx, r, "", warm(b.corpus.a), b.livebuildTurn(ctx, r), b.mksquashfsTurn(ctx, r))
}

// uncached is afresh with nothing in memory before each run.
func (b *benchmark) uncached(ctx context.Context, r row) error {
	return b.packInTurns(ctx, r, uncachedPrefix, gauge.DropCaches, b.livebuildTurn(ctx, r), b.mksquashfsTurn(ctx, r))
}

// crowd measures once what many workers take, of memory above all.
func (b *benchmark) crowd(ctx context.Context, r row) error {
	crowded := *b
	crowded.runs, crowded.workers = min(b.runs, 1), many
	return crowded.packInTurns(ctx, r, crowdPrefix, warm(b.corpus.a), crowded.livebuildTurn(ctx, r))
}

// reuse measures a row of the second table: one package has changed, and livebuild has the image
// from before. mksquashfs has no use for one, so that its runs are those of the first table.
func (b *benchmark) reuse(ctx context.Context, r row) error {
	if len(b.done(r, b.corpus.b, reusing)) >= b.runs {
		return nil
	}
	if err := b.afresh(ctx, r); err != nil {
		return err
	}
	if !b.has(r, b.corpus.a) {
		if _, err := b.livebuild(ctx, r, b.corpus.a, ""); err != nil {
			return err
		}
	}
	if len(b.done(r, b.corpus.b, livebuild)) == 0 { // what the others have to be equal to
		rec, err := b.livebuild(ctx, r, b.corpus.b, "")
		if err != nil {
			return err
		}
		if err := b.keep(rec); err != nil {
			return err
		}
	}
	return b.packInTurns(ctx, r, "", warm(b.corpus.b), turn{reusing, b.corpus.b, func() (record, error) {
		return b.livebuild(ctx, r, b.corpus.b, b.image(r, b.corpus.a))
	}})
}

// turn is one of the tools that run one after the other.
type turn struct {
	tool string
	of   variant
	run  func() (record, error)
}

func (b *benchmark) livebuildTurn(ctx context.Context, r row) turn {
	return turn{livebuild, b.corpus.a, func() (record, error) { return b.livebuild(ctx, r, b.corpus.a, "") }}
}

func (b *benchmark) mksquashfsTurn(ctx context.Context, r row) turn {
	return turn{mksquashfs, b.corpus.a, func() (record, error) { return b.mksquashfs(ctx, r, b.corpus.a) }}
}

// warm has a variant in the page cache.
func warm(v variant) func() error { return sync.OnceValue(v.read) }

// packInTurns makes the runs of a row that are not there yet. They are kept by the row's name after a
// prefix. Before each the machine is made ready; each image of livebuild is checked.
func (b *benchmark) packInTurns(ctx context.Context, r row, prefix string, ready func() error, turns ...turn) error {
	as := row{name: prefix + r.name}
	for i, t := range turns {
		turns[i].run = func() (record, error) {
			if err := ready(); err != nil {
				return record{}, err
			}
			rec, err := t.run()
			if err != nil || t.tool == mksquashfs {
				return rec, err
			}
			rec.Tool, rec.Row = t.tool, as.name
			err = b.check(ctx, r, as, t.of, &rec)
			return rec, err
		}
	}
	return b.inTurns(ctx, as, turns...)
}

// inTurns makes the runs that are not there yet, and keeps them as those of a row.
func (b *benchmark) inTurns(ctx context.Context, as row, turns ...turn) error {
	for i := range b.runs {
		for _, t := range turns {
			if len(b.done(as, t.of, t.tool)) > i {
				continue
			}
			rec, err := t.run()
			if err != nil {
				return err
			}
			rec.Tool, rec.Row = t.tool, as.name
			if err := b.keep(rec); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// check holds an image of livebuild against those of earlier runs, however they were made, the
// first one against its source.
func (b *benchmark) check(ctx context.Context, r, as row, v variant, rec *record) error {
	earlier := append(b.done(as, v, rec.Tool), b.done(r, v, livebuild)...)
	for _, other := range earlier {
		if other.SHA256 != rec.SHA256 {
			return fmt.Errorf("the image of %s by %s is not that of %s by %s with %d workers", rec.Row, rec.Tool, other.Row, other.Tool, other.Workers)
		}
	}
	if len(earlier.readers()) > 0 {
		return nil
	}
	readers, err := b.readBack(ctx, b.image(r, v), v)
	rec.Readers = readers
	return err
}

// readBack has the store of an image of a variant read by programs of others, and returns their names.
func (b *benchmark) readBack(ctx context.Context, image string, v variant) (readers []string, err error) {
	tree, ok := b.trees[v.name]
	if !ok {
		if tree, err = v.tree(); err != nil {
			return nil, err
		}
		b.trees[v.name] = tree
	}
	squashfs := image + ".squashfs"
	defer os.Remove(squashfs)
	if err := extractStore(image, squashfs); err != nil {
		return nil, err
	}
	return readback.Verify(ctx, squashfs, b.scratch, tree)
}

// done are the runs of the present livebuild, or in turns with it.
func (b *benchmark) done(r row, v variant, tool string) series {
	return b.results.of(b.corpus.key, b.packer, r.name, v.name, tool)
}

// has reports whether the image of a row is there, as the present livebuild
// made it.
func (b *benchmark) has(r row, v variant) bool {
	done := b.done(r, v, livebuild)
	if len(done) == 0 {
		return false
	}
	sum, err := readback.Sum(b.image(r, v))
	return err == nil && sum == done[0].SHA256
}

// image is where livebuild's image of a row goes.
func (b *benchmark) image(r row, v variant) string {
	return filepath.Join(b.corpus.dir, "images", strings.ReplaceAll(r.name, ":", "-")+"."+v.name+".iso")
}

// livebuild packs a variant into an image of its own, with an earlier image unless that is empty.
func (b *benchmark) livebuild(ctx context.Context, r row, v variant, earlier string) (record, error) {
	settings, err := r.settings()
	if err != nil {
		return record{}, err
	}
	c, err := codec.New(settings, codec.DefaultBlockSize)
	if err != nil {
		return record{}, err
	}
	output := b.image(r, v)
	rec, stdout, err := measure(ctx, output, b.self, packArgs(b.corpus, v, r, strconv.Itoa(b.workers), output, earlier)...)
	if err != nil {
		return record{}, err
	}
	var told packed
	if err := json.Unmarshal(stdout, &told); err != nil {
		return record{}, err
	}
	if rec.SHA256, err = readback.Sum(output); err != nil {
		return record{}, err
	}
	rec.Tool, rec.Version = livebuild, c.Identity()
	rec.Size, rec.Data, rec.Reused = told.Size, told.Data, told.Reused
	return b.describe(rec, r, v), nil
}

// mksquashfs packs a variant, and keeps nothing but what that took.
func (b *benchmark) mksquashfs(ctx context.Context, r row, v variant) (record, error) {
	output := filepath.Join(b.corpus.dir, "images", "mksquashfs.squashfs")
	args, err := b.mksquashfsArgs(r, v, output)
	if err != nil {
		return record{}, err
	}
	rec, _, err := measure(ctx, output, b.theirs, args...)
	if err != nil {
		return record{}, err
	}
	rec.Tool, rec.Version = mksquashfs, b.version
	return b.describe(rec, r, v), os.Remove(output)
}

// mksquashfsArgs have mksquashfs pack a variant as nixpkgs does (lib/make-squashfs.nix).
func (b *benchmark) mksquashfsArgs(r row, v variant, output string) ([]string, error) {
	roots, err := v.files()
	if err != nil {
		return nil, err
	}
	args := append(b.packingArgs(roots, output), "-keep-as-directory")
	return append(args, r.mksquashfsArgs()...), nil
}

// packingArgs are those of mksquashfs for what it packs, whatever the codec.
func (b *benchmark) packingArgs(what []string, output string) []string {
	return append(what, output, "-noappend", "-all-root", "-no-hardlinks", "-no-xattrs",
		"-b", "1M", "-processors", strconv.Itoa(b.workers), "-no-progress", "-quiet")
}

// squash has mksquashfs pack variant a into a file.
func (b *benchmark) squash(ctx context.Context, r row, output string) error {
	args, err := b.mksquashfsArgs(r, b.corpus.a, output)
	if err != nil {
		return err
	}
	return readback.Run(ctx, b.theirs, args...)
}

func (b *benchmark) describe(rec record, r row, v variant) record {
	rec.Corpus, rec.Packer, rec.Row, rec.Variant, rec.Workers, rec.Machine = b.corpus.key, b.packer, r.name, v.name, b.workers, b.machine
	return rec
}

// keep records a run, and tells of it.
func (b *benchmark) keep(rec record) error {
	fmt.Fprintf(os.Stderr, "%-8s %s %-19s %8.2f s %8.2f CPU s %5.0f MB peak %13d bytes\n",
		rec.Row, rec.Variant, rec.Tool, rec.Wall, rec.CPU, float64(rec.Memory)/1e6, rec.Size)
	return b.results.add(rec)
}
