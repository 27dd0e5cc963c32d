package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/readback"
)

// Tools that read an image whole. Those of the first two names decompress all of it, sha256sum and
// isoinfo only read: the file, or its directories.
const (
	verifying  = "livebuild verify"
	unsquashfs = "unsquashfs"
	ownTool    = "the machine's own unsquashfs"
	sha256sum  = "sha256sum"
	isoinfo    = "isoinfo"
)

// checkers are the tools of the table, in turns.
var checkers = []string{verifying, unsquashfs, ownTool, sha256sum, isoinfo}

// checkGoal is that of the time of unsquashfs.
const checkGoal = 1.0

// checkerKey changes with the sources of what verify does.
func (b *benchmark) checkerKey() (string, error) {
	return sourcesKey(".", "pkg", "internal/verify", "internal/medium", "internal/store", "go.sum")
}

// checking measures how long it takes to check the image of a row, beside others who read it.
// What they print goes nowhere, the files that unsquashfs unpacks, too.
func (b *benchmark) checking(ctx context.Context, r row) error {
	key, err := b.checkerKey()
	if err != nil {
		return err
	}
	missing := func(tool string) bool {
		return len(b.results.of(b.corpus.key, key, checkPrefix+r.name, b.corpus.a.name, tool)) < b.runs
	}
	if !slices.ContainsFunc(checkers, missing) {
		return nil
	}
	image := b.image(r, b.corpus.a)
	if !b.has(r, b.corpus.a) {
		if _, err := b.livebuild(ctx, r, b.corpus.a, ""); err != nil {
			return err
		}
	}
	store := filepath.Join(b.scratch, "livebuild-bench.squashfs")
	if err := extractStore(image, store); err != nil {
		return err
	}
	defer os.Remove(store)
	unpack := []string{"-no-progress", "-quiet", "-processors", fmt.Sprint(b.workers), "-pseudo-file", "/dev/stdout", store} // 4.5.1 takes "-" for a name
	commands := map[string][]string{
		verifying:  {b.program, "verify", "--json", "--jobs", fmt.Sprint(b.workers), image},
		unsquashfs: append([]string{filepath.Join(b.corpus.dir, "unsquashfs")}, unpack...),
		ownTool:    append([]string{"unsquashfs"}, unpack...),
		sha256sum:  {"sha256sum", image},
		isoinfo:    {"isoinfo", "-l", "-R", "-i", image},
	}
	for _, warm := range []string{image, store} {
		if _, err := readback.Sum(warm); err != nil {
			return err
		}
	}
	for i := range b.runs {
		for _, tool := range checkers {
			if len(b.results.of(b.corpus.key, key, checkPrefix+r.name, b.corpus.a.name, tool)) > i {
				continue
			}
			rec, err := silently(ctx, commands[tool])
			if err != nil {
				return err
			}
			rec.Tool, rec.Version = tool, tool
			rec = b.describe(rec, r, b.corpus.a)
			rec.Packer, rec.Row = key, checkPrefix+r.name
			if err := b.keep(rec); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// silently runs a program whose output is thrown away where it comes out.
func silently(ctx context.Context, command []string) (record, error) {
	rec, _, err := watched(ctx, "/bin/sh", append([]string{"-c", `exec "$@" >/dev/null`, "sh"}, command...)...)
	return rec, err
}

// reportChecks writes the table into its part of a file, and its records beside it.
func (b *benchmark) reportChecks(file string) error {
	var records []record
	machines := []string{}
	for _, r := range allRows {
		found, _ := b.checks(r)
		for _, s := range found {
			records = append(records, s...)
		}
	}
	for _, rec := range records {
		if rec.Machine != "" && !slices.Contains(machines, rec.Machine) {
			machines = append(machines, rec.Machine)
		}
	}
	if err := writeBook(file, checkingPart, records); err != nil {
		return err
	}
	about := "Machine: " + cmp.Or(strings.Join(machines, "; for other rows "), b.machine) + ". unsquashfs comes with " + b.version + ".\n"
	return writePart(file, checkingReport, checkHead+b.checkTable()+about)
}

// checks are the runs of all checkers in a row, in their order, and whether there are any.
func (b *benchmark) checks(r row) ([]series, bool) {
	return b.results.find(b.corpus.key, checkPrefix+r.name, b.corpus.a.name, checkers...)
}

const checkHead = `## Checking an image

'livebuild verify' decompresses all of the store, computes the NAR hash of each path and the SHA-256 of every byte of
the image's groups. unsquashfs unpacks the same store to nowhere (-pseudo-file /dev/stdout to /dev/null), sha256sum reads the file,
isoinfo lists its directories. From a warm page cache, in turns.

| codec | runs | wall s: verify | unsquashfs | ratio | goal | the machine's own unsquashfs | sha256sum | isoinfo | CPU s: verify | unsquashfs | peak memory MiB: verify | unsquashfs |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
`

// checkTable compares checking with reading.
func (b *benchmark) checkTable() string {
	var s strings.Builder
	for _, r := range allRows {
		if !r.checked {
			continue
		}
		found, ok := b.checks(r)
		if !ok {
			fmt.Fprintf(&s, "| %s | none |%s\n", r.name, strings.Repeat(" |", 11))
			continue
		}
		of := map[string]series{}
		for i, tool := range checkers {
			of[tool] = found[i]
		}
		ours, theirs := of[verifying], of[unsquashfs]
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.0f | %.0f |\n", r.name, runs(ours, theirs),
			pair(ours, theirs, wall, "%.2f", 1), goal(checkGoal, ours.median(wall)/theirs.median(wall)),
			of[ownTool].median(wall), of[sha256sum].median(wall), of[isoinfo].median(wall),
			ours.median(cpu), theirs.median(cpu), ours.median(memory)/(1<<20), theirs.median(memory)/(1<<20))
	}
	return s.String() + "\n"
}
