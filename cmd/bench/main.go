// Bench measures livebuild's packer against mksquashfs: the same closure, the
// same codec and level, the same block size and number of processors, from a
// warm page cache, in turns. See docs/benchmarks.md for what it found.
//
//	bench -corpus DIR [-livebuild FILE] [-scratch DIR] [-runs N] [-report FILE] [ROW...]
//
// DIR is what testdata/bench/corpus.sh made, with mksquashfs as mksquashfs.sh gets it. A ROW
// is a codec with a level ("zstd:19"), or one after "reuse:" for packing with an earlier image at
// hand, "uncached:" for packing what is not in memory, "workers:" for packing with many workers, or
// "verify:" for checking the image; without any, all are measured. Each finished run
// is kept in DIR/results.jsonl, and runs that are there already are not made
// again, so that a measurement can be interrupted. Beside the report, FILE.json gets the
// records that its tables are made of: rows that are not measured here stay as they are there.
// With -runs 0 only the report is made. 'bench iso' measures whole images, 'bench scale' closures
// that are made up, 'bench read' how the kernel reads: see iso.go, scale.go and reading.go. It needs root, to mount the images that it made and read them back.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if child := childOf(os.Args); child != nil {
		err = child(ctx, os.Args[2:])
	} else {
		err = bench(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// childOf is what this program does as a child of its own, or nil.
func childOf(args []string) func(context.Context, []string) error {
	if len(args) > 1 {
		switch args[1] {
		case packVerb:
			return pack
		case watchVerb:
			return watch
		case varyVerb:
			return vary
		case isoVerb:
			return isoBench
		case readVerb:
			return reading
		case scaleVerb:
			return scale
		case scalePackVerb:
			return scalePack
		}
	}
	return nil
}

func bench(ctx context.Context) error {
	dir := flag.String("corpus", ".work/bench", "`folder` that corpus.sh made")
	scratch := flag.String("scratch", "", "`folder` that images are unpacked to when they are read back (default: below the corpus)")
	runs := flag.Int("runs", 3, "times that each packer runs for a row")
	report := flag.String("report", "docs/benchmarks.md", "`file` that gets the tables")
	program := flag.String("livebuild", "bin/livebuild", "the `program`, which checks images")
	flag.Parse()
	tasks, err := selectTasks(flag.Args())
	if err != nil {
		return err
	}
	b, err := newBenchmark(ctx, *dir, *scratch, *report, *runs)
	if err != nil {
		return err
	}
	if b.program, err = filepath.Abs(*program); err != nil {
		return err
	}
	for _, t := range tasks {
		if err := t.run(ctx, b, *report); err != nil {
			return err
		}
	}
	return nil
}
