package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/gauge"
	"github.com/livebuild/livebuild/internal/readback"
)

const (
	readVerb    = "read"
	readPart    = "reading"
	readPrefix  = "read:"  // of rows that read small files in a random order
	orderPrefix = "order:" // of rows that read all files in the order of their names
)

// What is read in a random order: so many files, none larger than this.
const (
	filesRead = 2000
	smallFile = 16 << 10
)

// reading measures how the kernel reads files from images that are mounted.
func reading(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(readVerb, flag.ExitOnError)
	dir := flags.String("corpus", ".work/bench", "`folder` that corpus.sh made")
	report := flags.String("report", "docs/benchmarks.md", "`file` that gets the table")
	runs := flags.Int("runs", 3, "times that each image is read, and booted, for a row")
	program := flags.String("livebuild", "bin/livebuild", "the `program`, which makes images that are booted")
	flake := flags.String("flake", "", "`folder` of the mini flake, whose system is booted (default: none is)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b, err := newBenchmark(ctx, *dir, "", *report, *runs)
	if err != nil {
		return err
	}
	if b.program, err = filepath.Abs(*program); err != nil {
		return err
	}
	rows, err := selectRows(flags.Args())
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := b.reading(ctx, r); err != nil {
			return fmt.Errorf("%s%s: %w", readPrefix, r.name, err)
		}
		if *flake != "" {
			if err := b.booting(ctx, r, *flake); err != nil {
				return fmt.Errorf("%s%s: %w", bootPrefix, r.name, err)
			}
		}
		if err := b.reportReading(*report); err != nil {
			return err
		}
	}
	return b.reportReading(*report)
}

// reading makes the runs of a row that are not there yet, in turns, of small files and of all.
func (b *benchmark) reading(ctx context.Context, r row) (err error) {
	small, all := row{name: readPrefix + r.name}, row{name: orderPrefix + r.name}
	if b.complete(small) && b.complete(all) {
		return nil
	}
	if !b.has(r, b.corpus.a) {
		if _, err := b.livebuild(ctx, r, b.corpus.a, ""); err != nil {
			return err
		}
	}
	folder := filepath.Join(b.corpus.dir, "reading")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	squashed := map[string]string{livebuild: filepath.Join(folder, "livebuild.squashfs"), mksquashfs: filepath.Join(folder, "mksquashfs.squashfs")}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := extractStore(b.image(r, b.corpus.a), squashed[livebuild]); err != nil {
		return err
	}
	if err := b.squash(ctx, r, squashed[mksquashfs]); err != nil {
		return err
	}
	allNames, smallNames, err := b.filesToRead()
	if err != nil {
		return err
	}
	read := func(names []string) func(string) (record, error) {
		return func(tool string) (record, error) {
			return timeReading(ctx, squashed[tool], filepath.Join(folder, "mounted"), names)
		}
	}
	if err := b.bothInTurns(ctx, r, small, read(smallNames)); err != nil {
		return err
	}
	return b.bothInTurns(ctx, r, all, read(allNames))
}

var bothTools = []string{livebuild, mksquashfs}

// complete says whether all runs of a row of both tools' images are there.
func (b *benchmark) complete(as row) bool {
	return !slices.ContainsFunc(bothTools, func(tool string) bool { return len(b.done(as, b.corpus.a, tool)) < b.runs })
}

// bothInTurns makes the runs that are not there yet of what is done with both tools' images of a row, and
// keeps them as those of another.
func (b *benchmark) bothInTurns(ctx context.Context, r, as row, run func(tool string) (record, error)) error {
	var turns []turn
	for _, tool := range bothTools {
		turns = append(turns, turn{tool, b.corpus.a, func() (record, error) {
			rec, err := run(tool)
			rec.Version = map[string]string{livebuild: r.name, mksquashfs: b.version}[tool]
			return b.describe(rec, as, b.corpus.a), err
		}})
	}
	return b.inTurns(ctx, as, turns...)
}

// filesToRead are the names of all files of the corpus in their order, and of small ones in a random
// order, always the same.
func (b *benchmark) filesToRead() (all, small []string, err error) {
	roots, err := b.corpus.a.files()
	if err != nil {
		return nil, nil, err
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			all = append(all, filepath.Base(root)+strings.TrimPrefix(file, root))
			if info.Size() <= smallFile {
				small = append(small, all[len(all)-1])
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(all)
	slices.Sort(small)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(small), func(i, j int) { small[i], small[j] = small[j], small[i] })
	return all, small[:min(len(small), filesRead)], nil
}

// timeReading mounts an image and reads files from it, with nothing of either in memory. Loop
// devices read files through the page cache, so that the image's own pages go, too.
func timeReading(ctx context.Context, image, folder string, names []string) (rec record, err error) {
	size, err := gauge.Settle(image) // only what is on the disk can be dropped
	if err != nil {
		return rec, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return rec, err
	}
	if err := readback.Run(ctx, "mount", "-t", "squashfs", "-o", "loop,ro", image, folder); err != nil {
		return rec, err
	}
	defer func() { err = errors.Join(err, readback.Run(context.WithoutCancel(ctx), "umount", folder)) }()
	if err := gauge.DropCaches(); err != nil {
		return rec, err
	}
	if rec.Load, err = gauge.LoadAverage(); err != nil {
		return rec, err
	}
	before, err := gauge.OwnCPU()
	if err != nil {
		return rec, err
	}
	started := time.Now()
	for _, name := range names {
		if _, err := os.ReadFile(filepath.Join(folder, name)); err != nil {
			return rec, err
		}
	}
	took := time.Since(started)
	after, err := gauge.OwnCPU()
	rec.Time, rec.Wall, rec.CPU, rec.Size = started.UTC().Truncate(time.Second), took.Seconds(), after-before, size
	return rec, err
}

const readGoal = 1.0

const readHead = `## Reading from the image

` + "`make bench-read`" + ` mounts the squashfs of livebuild and that of mksquashfs with the same setting, in turns, by a loop
device, and reads %d random files of at most 16 KiB from each, the same in the same order. Nothing of the files or of the image
is in memory before (` + "`echo 3 > /proc/sys/vm/drop_caches`" + `). CPU is that of the reader, in which the kernel decompresses. A ratio
below 1 is in favour of livebuild's image.

`

const orderHead = `
### All of it, in order

The same with every file of the closure, one after the other in the order of their names, as somebody reads who copies the store.

`

const readColumns = `| codec | runs | wall s: livebuild's | mksquashfs' | ratio | goal | CPU s: livebuild's | mksquashfs' | ratio |
|---|---|---|---|---|---|---|---|---|
`

// reportReading writes the tables into their part of a file, and their records beside it.
func (b *benchmark) reportReading(file string) error {
	var s strings.Builder
	line := func(r row, o, t series) {
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |\n", r.name, runs(o, t), pair(o, t, wall, "%.2f", 1),
			goal(readGoal, o.median(wall)/t.median(wall)), pair(o, t, cpu, "%.2f", 1))
	}
	fmt.Fprintf(&s, readHead+readColumns, filesRead)
	records := b.bothSides(readPrefix, line)
	s.WriteString(orderHead + readColumns)
	records = append(records, b.bothSides(orderPrefix, line)...)
	boots, booted := b.bootTable()
	if err := errors.Join(writeBook(file, readPart, records), writeBook(file, bootPart, booted)); err != nil {
		return err
	}
	text := s.String() + "\n" + b.machines(records)
	if boots != "" {
		text += "\n" + boots
	}
	return writePart(file, readPart, text)
}

// bothSides calls line for each row of a table that both tools were measured in, and returns the records of all.
func (b *benchmark) bothSides(prefix string, line func(r row, ours, theirs series)) (records []record) {
	for _, r := range allRows {
		if ours, theirs, ok := b.sides(prefix, r); ok {
			records = append(append(records, ours...), theirs...)
			line(r, ours, theirs)
		}
	}
	return records
}
