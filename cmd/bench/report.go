package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/readback"
)

// Reports are parts of a file that others write, too: what is between their lines
// is replaced.
const (
	packingReport  = "packing"
	checkingReport = "checking"
	reportTitle    = "# Benchmarks\n"
)

// makers are what makes the other parts.
var makers = map[string]string{isoPart: "make bench-iso", scalePart: "make bench-scale", readPart: "make bench-read"}

// report writes the tables about packing into their part of a file, and beside it the records
// that they are made of, and the chart.
func (b *benchmark) report(file string) error {
	if err := writeBook(file, packingPart, b.reported()); err != nil {
		return err
	}
	chart := drawFront(b.settingsOf(livebuild), b.settingsOf(mksquashfs))
	if err := os.WriteFile(beside(file, ".svg"), []byte(chart), 0o644); err != nil {
		return err
	}
	return writePart(file, packingReport, b.about()+b.frontTable(file)+b.wholeTable()+b.reuseTable()+b.uncachedTable()+b.crowdTable())
}

func writePart(file, name, part string) error {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, []byte(replacePart(string(text), name, part)), 0o644)
}

// replacePart puts a report into its place in a text, which is at the end
// if there is none yet.
func replacePart(text, name, part string) string {
	begin, end := "<!-- "+name+": written by '"+cmp.Or(makers[name], "make bench")+"' -->", "<!-- end of "+name+" -->"
	part = begin + "\n" + part + end + "\n"
	before, rest, found := strings.Cut(text, begin+"\n")
	_, after, ended := strings.Cut(rest, end+"\n")
	switch {
	case found && ended:
		return before + part + after
	case text == "":
		return reportTitle + "\n" + part
	}
	return strings.TrimRight(text, "\n") + "\n\n" + part
}

// about says what was measured, on what, and how.
func (b *benchmark) about() string {
	var versions, identities, machines []string
	var loads []float64
	note := func(list *[]string, what string) {
		if what != "" && !slices.Contains(*list, what) {
			*list = append(*list, what)
		}
	}
	for _, rec := range b.reported() {
		if rec.Load > 0 {
			loads = append(loads, rec.Load)
		}
		note(&machines, rec.Machine)
		if rec.Tool == mksquashfs {
			note(&versions, rec.Version)
		} else {
			note(&identities, rec.Version)
		}
	}
	slices.Sort(identities)
	var s strings.Builder
	fmt.Fprintf(&s, "## Packing\n\n")
	fmt.Fprintf(&s, "`make bench` packs the same closure with livebuild's packer and with mksquashfs, in turns, each with %d processors\n", b.workers)
	fmt.Fprintf(&s, "and blocks of 1 MiB, from a warm page cache. Figures are medians of whole processes; a ratio below 1 is in livebuild's\n")
	fmt.Fprintf(&s, "favour. Each image of livebuild was the same in every run, and was read back by Linux, unsquashfs and rdsquashfs\n")
	fmt.Fprintf(&s, "without a difference from its source, where \"read\" says so.\n\n")
	fmt.Fprintf(&s, "- Closure: %s, of Debian 12's packages (testdata/bench/packages.list).\n", b.corpus.about)
	fmt.Fprintf(&s, "- Machine: %s.\n", cmp.Or(strings.Join(machines, "; for other rows "), b.machine))
	if len(loads) > 0 {
		fmt.Fprintf(&s, "  The load average before a run was %.1f to %.1f, of which the run before makes as many as it has workers; what is above was others' work.\n", slices.Min(loads), slices.Max(loads))
	}
	fmt.Fprintf(&s, "- Against: %s.\n", cmp.Or(strings.Join(versions, "; "), b.version))
	fmt.Fprintf(&s, "- livebuild: %s.\n\n", cmp.Or(strings.Join(identities, "; "), "not measured"))
	return s.String()
}

// reported are the records that the tables are made of, each once.
func (b *benchmark) reported() []record {
	var all []record
	for _, r := range allRows {
		if ours, theirs, ok := b.whole(r); ok {
			all = append(append(all, ours...), theirs...)
		}
		if ours, _, ok := b.reused(r); ok {
			all = append(all, ours...)
		}
		if ours, theirs, ok := b.fromDisk(r); ok {
			all = append(append(all, ours...), theirs...)
		}
		if crowd, ok := b.crowded(r); ok {
			all = append(all, crowd...)
		}
	}
	return all
}

const wholeHead = `### Everything compressed

| codec | runs | wall s: livebuild | mksquashfs | ratio | goal | image MB: livebuild | mksquashfs | ratio | goal | read |
|---|---|---|---|---|---|---|---|---|---|---|
`

// wholeTable compares packing everything, codec by codec.
func (b *benchmark) wholeTable() string {
	var s strings.Builder
	s.WriteString(wholeHead)
	for _, r := range allRows {
		ours, theirs, ok := b.whole(r)
		if !ok {
			fmt.Fprintf(&s, "| %s | none |%s\n", r.name, strings.Repeat(" |", 9))
			continue
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s | %s |\n", r.name, runs(ours, theirs),
			pair(ours, theirs, wall, "%.2f", 1), goal(r.wallGoal, ours.median(wall)/theirs.median(wall)),
			pair(ours, theirs, imageSize, "%.1f", 1e6), goal(r.sizeGoal, ours.median(imageSize)/theirs.median(imageSize)),
			read(ours))
	}
	return s.String() + "\n" + b.costTable(b.whole)
}

const reuseHead = `### One package of 1 MB changed, the earlier image at hand

The image is byte for byte the one that is made without an earlier image. mksquashfs begins afresh, as in the table before.

| codec | runs | wall s: livebuild | mksquashfs | ratio | goal | bytes reused | goal | read |
|---|---|---|---|---|---|---|---|---|
`

// reuseTable compares packing with an earlier image at hand.
func (b *benchmark) reuseTable() string {
	var s strings.Builder
	s.WriteString(reuseHead)
	for _, r := range allRows {
		if r.reuseGoal == 0 {
			continue
		}
		ours, theirs, ok := b.reused(r)
		if !ok {
			fmt.Fprintf(&s, "| %s | none |%s\n", r.name, strings.Repeat(" |", 7))
			continue
		}
		reused := ours.median(func(r record) float64 { return float64(r.Reused) / float64(r.Data) })
		share := fmt.Sprintf("%.2f %% | ≥ %.0f %%", 100*reused, 100*reusedGoal)
		if reused < reusedGoal {
			share += missed
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s |\n", r.name, runs(ours, theirs),
			pair(ours, theirs, wall, "%.2f", 1), goal(r.reuseGoal, ours.median(wall)/theirs.median(wall)),
			share, read(ours))
	}
	return s.String() + "\n" + b.costTable(b.reused)
}

const costHead = `| codec | CPU s: livebuild | mksquashfs | ratio | peak memory MiB: livebuild | mksquashfs | ratio | goal |
|---|---|---|---|---|---|---|---|
`

// costTable tells what the runs of the table before took beside time.
func (b *benchmark) costTable(find func(row) (ours, theirs series, ok bool)) string {
	var s strings.Builder
	s.WriteString(costHead)
	for _, r := range allRows {
		if ours, theirs, ok := find(r); ok {
			limit := fmt.Sprintf("≤ %d MiB", memoryGoal>>20)
			if ours.median(memory) > memoryGoal {
				limit += missed
			}
			fmt.Fprintf(&s, "| %s | %s | %s | %s |\n", r.name,
				pair(ours, theirs, cpu, "%.2f", 1), pair(ours, theirs, memory, "%.0f", 1<<20), limit)
		}
	}
	return s.String() + "\n"
}

const uncachedHead = `### From a cold page cache

Nothing of the closure is in memory before (` + "`echo 3 > /proc/sys/vm/drop_caches`" + `).

| codec | runs | wall s: livebuild | mksquashfs | ratio | goal | CPU s: livebuild | mksquashfs | ratio |
|---|---|---|---|---|---|---|---|---|
`

// uncachedTable compares packing what has to be read first.
func (b *benchmark) uncachedTable() string {
	var s strings.Builder
	s.WriteString(uncachedHead)
	for _, r := range allRows {
		if r.uncachedGoal == 0 {
			continue
		}
		ours, theirs, ok := b.fromDisk(r)
		if !ok {
			fmt.Fprintf(&s, "| %s | none |%s\n", r.name, strings.Repeat(" |", 7))
			continue
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |\n", r.name, runs(ours, theirs), pair(ours, theirs, wall, "%.2f", 1),
			goal(r.uncachedGoal, ours.median(wall)/theirs.median(wall)), pair(ours, theirs, cpu, "%.2f", 1))
	}
	return s.String() + "\n"
}

// crowdTable tells what packing with many workers takes.
func (b *benchmark) crowdTable() string {
	var s strings.Builder
	fmt.Fprintf(&s, "### With %d workers\n\nOn the same processors, so that only the memory is that of so many. One run each.\n\n", many)
	s.WriteString("| codec | peak memory MiB | goal | the same image |\n|---|---|---|---|\n")
	for _, r := range allRows {
		if !r.crowded {
			continue
		}
		crowd, ok := b.crowded(r)
		few, _, known := b.whole(r)
		if !ok || !known {
			fmt.Fprintf(&s, "| %s | none | | |\n", r.name)
			continue
		}
		limit := fmt.Sprintf("≤ %d MiB", crowdedGoal>>20)
		if crowd.median(memory) > crowdedGoal {
			limit += missed
		}
		same := "yes"
		if crowd[0].SHA256 != few[0].SHA256 {
			same = "**no**"
		}
		fmt.Fprintf(&s, "| %s | %.0f | %s | %s |\n", r.name, crowd.median(memory)/(1<<20), limit, same)
	}
	return s.String() + "\n"
}

// whole returns the runs that compress everything, and whether there are any of both.
func (b *benchmark) whole(r row) (ours, theirs series, ok bool) {
	return b.sides("", r)
}

// sides are the runs of both tools in a row after a prefix, and whether there are any of both.
func (b *benchmark) sides(prefix string, r row) (ours, theirs series, ok bool) {
	found, ok := b.results.find(b.corpus.key, prefix+r.name, b.corpus.a.name, livebuild, mksquashfs)
	return found[0], found[1], ok
}

// reused is whole of runs that have an earlier image. mksquashfs', which has no use for one, are those of whole.
func (b *benchmark) reused(r row) (ours, theirs series, ok bool) {
	found, ok := b.results.findCells(b.corpus.key, r.name, cell{b.corpus.b.name, reusing}, cell{b.corpus.a.name, mksquashfs})
	return found[0], found[1], ok
}

// fromDisk is whole of runs that had nothing in memory.
func (b *benchmark) fromDisk(r row) (ours, theirs series, ok bool) {
	return b.sides(uncachedPrefix, r)
}

// crowded returns the runs with many workers.
func (b *benchmark) crowded(r row) (series, bool) {
	found, ok := b.results.find(b.corpus.key, crowdPrefix+r.name, b.corpus.a.name, livebuild)
	return found[0], ok
}

const missed = ", **missed**"

// pair is a figure of both and its ratio, in three cells.
func pair(ours, theirs series, figure func(record) float64, format string, unit float64) string {
	o, t := ours.median(figure), theirs.median(figure)
	return fmt.Sprintf(format+" | "+format+" | **%.3f**", o/unit, t/unit, o/t)
}

// goal is a goal for a ratio, and whether it was missed.
func goal(want, got float64) string {
	s := fmt.Sprintf("≤ %.3f", want)
	if got > want {
		s += missed
	}
	return s
}

// runs is how many runs the medians are of.
func runs(ours, theirs series) string {
	if ours.runs() == theirs.runs() {
		return fmt.Sprint(ours.runs())
	}
	return fmt.Sprintf("%d and %d", ours.runs(), theirs.runs())
}

// read tells how many readers read the image.
func read(s series) string { return fmt.Sprintf("%d of %d", len(s.readers()), readback.Readers()) }
