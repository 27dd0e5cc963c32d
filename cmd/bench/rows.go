package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// row is a line of the tables: a compression that both programs are given.
type row struct {
	name         string // as the command line has it
	compression  string // in mksquashfs' words
	wallGoal     float64
	sizeGoal     float64
	reuseGoal    float64 // of the time of mksquashfs, when one package has changed; 0: not measured
	uncachedGoal float64 // of its time, with nothing in memory; 0: not measured
	checked      bool    // measured is how long checking takes, too
	crowded      bool    // and how much memory many workers take
}

// allRows are all of them, by compressor and level. The goals are ratios to mksquashfs.
var allRows = []row{
	{name: "none", compression: "none", wallGoal: 0.6, sizeGoal: 1, checked: true},
	{name: "lz4", compression: "lz4", wallGoal: 0.7, sizeGoal: 0.985, reuseGoal: 0.15, uncachedGoal: 0.6, checked: true, crowded: true},
	{name: "lz4:hc", compression: "lz4 -Xhc", wallGoal: 0.7, sizeGoal: 0.985},
	{name: "gzip:1", compression: "gzip -Xcompression-level 1", wallGoal: 0.45, sizeGoal: 0.96, checked: true},
	{name: "gzip:9", compression: "gzip -Xcompression-level 9", wallGoal: 0.35, sizeGoal: 0.97},
	{name: "zstd:1", compression: "zstd -Xcompression-level 1", wallGoal: 0.75, sizeGoal: 0.99},
	{name: "zstd:3", compression: "zstd -Xcompression-level 3", wallGoal: 0.75, sizeGoal: 0.99, uncachedGoal: 0.6, checked: true, crowded: true},
	{name: "zstd:6", compression: "zstd -Xcompression-level 6", wallGoal: 0.75, sizeGoal: 0.99},
	{name: "zstd:9", compression: "zstd -Xcompression-level 9", wallGoal: 0.75, sizeGoal: 0.99},
	{name: "zstd:12", compression: "zstd -Xcompression-level 12", wallGoal: 0.72, sizeGoal: 0.99},
	{name: "zstd:15", compression: "zstd -Xcompression-level 15", wallGoal: 0.72, sizeGoal: 0.99},
	{name: "zstd:17", compression: "zstd -Xcompression-level 17", wallGoal: 0.72, sizeGoal: 0.99},
	{name: "zstd:19", compression: "zstd -Xcompression-level 19", wallGoal: 0.72, sizeGoal: 0.99, reuseGoal: 0.02, crowded: true},
	{name: "zstd:22", compression: "zstd -Xcompression-level 22", wallGoal: 0.72, sizeGoal: 0.99, crowded: true},
	{name: "xz", compression: "xz -Xdict-size 100%", wallGoal: 0.75, sizeGoal: 0.982, reuseGoal: 0.02, checked: true, crowded: true},
	{name: "xz:x86", compression: "xz -Xdict-size 100% -Xbcj x86", wallGoal: 0.55, sizeGoal: 0.982},
}

// reusedGoal is the share of an image's bytes that come from the earlier one.
const reusedGoal = 0.95

// Goals for the packer's memory in bytes: for two workers, and for many.
const (
	memoryGoal  = 200 << 20
	crowdedGoal = 1 << 30
)

// many is how many workers are many. More than there are processors take the memory of as many,
// not their time.
const many = 16

// A question is what is measured of rows, each in a table of its own.
type question struct {
	prefix  string // of a row on the command line, and in the records
	asked   func(row) bool
	measure func(*benchmark, context.Context, row) error
	report  func(*benchmark, string) error // into a file
}

const (
	reusePrefix    = "reuse:"
	uncachedPrefix = "uncached:"
	crowdPrefix    = "workers:"
	checkPrefix    = "verify:"
)

// questions are all of them, in the order of the tables.
var questions = []question{
	{"", func(row) bool { return true }, (*benchmark).afresh, (*benchmark).report},
	{reusePrefix, func(r row) bool { return r.reuseGoal > 0 }, (*benchmark).reuse, (*benchmark).report},
	{uncachedPrefix, func(r row) bool { return r.uncachedGoal > 0 }, (*benchmark).uncached, (*benchmark).report},
	{crowdPrefix, func(r row) bool { return r.crowded }, (*benchmark).crowd, (*benchmark).report},
	{checkPrefix, func(r row) bool { return r.checked }, (*benchmark).checking, (*benchmark).reportChecks},
}

// task is a row and what is asked of it.
type task struct {
	question
	row
}

// run measures it and writes what is known.
func (t task) run(ctx context.Context, b *benchmark, report string) error {
	if err := t.measure(b, ctx, t.row); err != nil {
		return fmt.Errorf("%s%s: %w", t.prefix, t.name, err)
	}
	return t.report(b, report)
}

// selectRows returns the rows that words name, or all if there are none.
func selectRows(words []string) ([]row, error) {
	if len(words) == 0 {
		return allRows, nil
	}
	var named []row
	for _, word := range words {
		i := slices.IndexFunc(allRows, func(r row) bool { return r.name == word })
		if i < 0 {
			return nil, fmt.Errorf("no row %s", word)
		}
		named = append(named, allRows[i])
	}
	return named, nil
}

// selectTasks returns what words name, in their order, or everything if there are none.
func selectTasks(words []string) ([]task, error) {
	var all, named []task
	for _, q := range questions {
		for _, r := range allRows {
			if q.asked(r) {
				all = append(all, task{q, r})
			}
		}
	}
	if len(words) == 0 {
		return all, nil
	}
	for _, word := range words {
		i := slices.IndexFunc(all, func(t task) bool { return t.prefix+t.name == word })
		if i < 0 {
			return nil, fmt.Errorf("no row %s", word)
		}
		named = append(named, all[i])
	}
	return named, nil
}

// settings are what livebuild is given.
func (r row) settings() (codec.Settings, error) { return codec.Parse(r.compression) }

// mksquashfsArgs are what mksquashfs is given for the same.
func (r row) mksquashfsArgs() []string {
	if r.compression == "none" {
		return []string{"-no-compression"}
	}
	return append([]string{"-comp"}, strings.Fields(r.compression)...)
}
