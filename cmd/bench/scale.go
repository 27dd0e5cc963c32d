package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/livebuild/livebuild/internal/chart"
	"github.com/livebuild/livebuild/internal/gauge"
	"github.com/livebuild/livebuild/internal/synthetic"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

const (
	scaleVerb     = "scale"
	scalePackVerb = "scale-pack"
	scalePart     = "scale"
)

// scaleRecord is a run with a made-up closure.
type scaleRecord struct {
	synthetic.Shape
	record
}

// Sizes that are measured if none are named: many small files, each ten times as many store paths
// and files as the one before, or between them, and large files.
var scaleShapes = []string{
	"1000x100000", "3000x300000", "10000x1000000", "30000x3000000", "100000x10000000",
	"1x1+2G", "1x1+20G", "1x1+200G",
}

// parseShape reads PATHSxFILES, or PATHSxFILES+GIGABYTES"G".
func parseShape(word string) (s synthetic.Shape, err error) {
	small, large, hasLarge := strings.Cut(word, "+")
	paths, files, _ := strings.Cut(small, "x")
	if s.Paths, err = strconv.Atoi(paths); err == nil {
		s.Files, err = strconv.Atoi(files)
	}
	if err == nil && hasLarge {
		var gigabytes int64
		gigabytes, err = strconv.ParseInt(strings.TrimSuffix(large, "G"), 10, 64)
		s.Bytes = gigabytes * 1e9
	}
	if err != nil || s.Paths < 1 || s.Files < s.Paths || s.Bytes < 0 {
		return s, fmt.Errorf("%s: a size is PATHSxFILES or PATHSxFILES+BYTESG, with at least a file in each path", word)
	}
	return s, nil
}

// scale packs made-up closures, and says how time and memory grow. What the report has of this packer
// is not measured again.
func scale(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(scaleVerb, flag.ExitOnError)
	report := flags.String("report", "docs/benchmarks.md", "`file` that gets the table")
	compression := flags.String("compression", "lz4", "in mksquashfs' words")
	workers := flags.Int("workers", 2, "compressors")
	if err := flags.Parse(args); err != nil {
		return err
	}
	words := flags.Args()
	if len(words) == 0 {
		words = scaleShapes
	}
	records, err := readBook[scaleRecord](*report, scalePart)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	packer, err := sourcesKey(".", "pkg/squashfs", "internal/synthetic", "go.sum")
	if err != nil {
		return err
	}
	for _, word := range words {
		shape, err := parseShape(word)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(records, func(r scaleRecord) bool {
			return r.Shape == shape && r.Packer == packer && r.Version == *compression && r.Workers == *workers
		}) {
			fmt.Fprintf(os.Stderr, "%-20s is there already\n", word)
			continue
		}
		rec, out, err := watched(ctx, self, scalePackVerb, "-size", word, "-compression", *compression, "-workers", strconv.Itoa(*workers))
		if err != nil {
			return err
		}
		var told packed
		if err := json.Unmarshal(out, &told); err != nil {
			return err
		}
		if rec.Machine, err = gauge.Machine(); err != nil {
			return err
		}
		rec.Packer, rec.Row, rec.Tool, rec.Version, rec.Workers, rec.Size = packer, word, livebuild, *compression, *workers, told.Size
		fmt.Fprintf(os.Stderr, "%-20s %8.2f s %8.2f CPU s %5.0f MB peak %13d bytes\n", word, rec.Wall, rec.CPU, float64(rec.Memory)/1e6, rec.Size)
		records = slices.DeleteFunc(records, func(r scaleRecord) bool { return r.Shape == shape })
		records = append(records, scaleRecord{shape, rec})
		if err := reportScale(*report, records); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// scalePack packs a made-up closure and throws the image away.
func scalePack(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(scalePackVerb, flag.ExitOnError)
	size := flags.String("size", "", "PATHSxFILES[+BYTESG]")
	compression := flags.String("compression", "lz4", "in mksquashfs' words")
	workers := flags.Int("workers", runtime.NumCPU(), "compressors")
	if err := flags.Parse(args); err != nil {
		return err
	}
	debug.SetGCPercent(50) // as livebuild does
	shape, err := parseShape(*size)
	if err != nil {
		return err
	}
	settings, err := codec.Parse(*compression)
	if err != nil {
		return err
	}
	c, err := codec.New(settings, codec.DefaultBlockSize)
	if err != nil {
		return err
	}
	tree, err := squashfs.NewTree(ctx, synthetic.New(shape))
	if err != nil {
		return err
	}
	sum, err := tree.Write(ctx, nowhere{}, squashfs.Options{Codec: c, Workers: *workers})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(packed{Size: sum.Size, Data: sum.DataBytes})
}

// nowhere takes an image and keeps nothing of it.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

const scaleHead = `## Scale

` + "`make bench-scale`" + ` packs closures that a generator makes up: many small files of 20 to 2,000 bytes, each a piece of the
same text with a number of its own, in ever more store paths; and large files, half of them zeros, the rest of 128 MiB of content
that come again and again. Nothing is read from a disk, and the image goes nowhere: no size takes room or inodes. If what it takes grows linearly, the
figures for each file, or for each GB, stay what they are.

![Time and memory over the size of the closure](%s)

| store paths | files | large files GB | CPU s | µs for each file | s for each GB | peak memory MiB | bytes for each file | image MB |
|---|---|---|---|---|---|---|---|---|
`

// reportScale writes table, chart and records.
func reportScale(file string, records []scaleRecord) error {
	slices.SortStableFunc(records, func(a, b scaleRecord) int {
		if a.Bytes != b.Bytes {
			return int(min(1, max(-1, a.Bytes-b.Bytes)))
		}
		return a.Files - b.Files
	})
	if err := writeBook(file, scalePart, records); err != nil {
		return err
	}
	var plain []record
	var many, manyMemory, large, largeMemory chart.Line
	var s strings.Builder
	picture := beside(file, "-scale.svg")
	fmt.Fprintf(&s, scaleHead, picture[strings.LastIndex(picture, "/")+1:])
	for _, r := range records {
		plain = append(plain, r.record)
		mib := float64(r.Memory) / (1 << 20)
		if r.Bytes == 0 {
			many.Points = append(many.Points, chart.Point{X: float64(r.Files), Y: r.CPU})
			manyMemory.Points = append(manyMemory.Points, chart.Point{X: float64(r.Files), Y: mib})
			fmt.Fprintf(&s, "| %d | %d | | %.2f | %.2f | | %.0f | %.0f | %.1f |\n", r.Paths, r.Files, r.CPU, r.CPU/float64(r.Files)*1e6, mib, float64(r.Memory)/float64(r.Files), float64(r.Size)/1e6)
			continue
		}
		gigabytes := float64(r.Bytes) / 1e9
		large.Points = append(large.Points, chart.Point{X: gigabytes, Y: r.CPU})
		largeMemory.Points = append(largeMemory.Points, chart.Point{X: gigabytes, Y: mib})
		fmt.Fprintf(&s, "| %d | %d | %.0f | %.2f | | %.2f | %.0f | | %.1f |\n", r.Paths, r.Files, gigabytes, r.CPU, r.CPU/gigabytes, mib, float64(r.Size)/1e6)
	}
	var panels []chart.Panel
	for _, p := range []struct {
		title, x, y string
		l           chart.Line
	}{
		{"Small files: processor time", "files", "CPU seconds", many}, {"Small files: memory", "files", "peak MiB", manyMemory},
		{"Large files: processor time", "GB", "CPU seconds", large}, {"Large files: memory", "GB", "peak MiB", largeMemory},
	} {
		if len(p.l.Points) > 0 {
			p.l.Class = "ours"
			panels = append(panels, chart.Panel{Title: p.title, X: p.x, Y: p.y, Lines: []chart.Line{p.l}, Zero: true})
		}
	}
	drawn := chart.Draw("Time and memory over the size of the closure", panels, []string{"ours: livebuild", "A straight line grows linearly."})
	if err := os.WriteFile(picture, []byte(drawn), 0o644); err != nil {
		return err
	}
	return writePart(file, scalePart, s.String()+"\n"+new(benchmark).machines(plain))
}
