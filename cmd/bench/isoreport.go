package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Goals of whole images at zstd 19, of the time of the derivation.
const (
	isoColdGoal    = 0.6
	isoChangedGoal = 0.04
	isoGoalCodec   = "zstd:19"
)

const isoHead = `## Making an image, all of it

` + "`make bench-iso`" + ` makes the same live image of the corpus in two ways, in turns. One is a derivation like
nixpkgs' (` + "`config.system.build.isoImage`" + `): in Nix' sandbox mksquashfs writes the squashfs and xorriso the image, with
the flags that nixpkgs gives them, and Nix hashes the output and registers it. The other is ` + "`livebuild iso`" + `. Both
evaluate the same file first, which is small. "Changed" is the same after one package of 1 MB has changed: the derivation
begins afresh, livebuild has its image from before. For aarch64 mksquashfs and xorriso run under qemu-user, as they do
on a builder that emulates, and livebuild packs itself. Seconds are those until the program ends, when livebuild has its image on
the disk, Nix perhaps not yet. CPU is of all processes. "Written" is what the device of a file system of its own, with store,
builds, caches and images, was given until all was there; "disk" what was in use there at most, beyond what was before.
Of a row with a limit of memory, all processes together have so much (a memory cgroup), the page cache of what they read and
write included, and nothing is in memory before: the closure does not fit. mksquashfs is told of it (` + "`-mem`" + `, a quarter), as it
would see for itself on such a machine.

| platform, codec | | runs | wall s: derivation | livebuild | ratio | goal | CPU s: derivation | livebuild | ratio | written MB: derivation | livebuild | disk MB: derivation | livebuild | image MB: derivation | livebuild |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
`

// isoRows are the rows that were measured here or before, by name.
func (b *benchmark) isoRows() []string {
	var names []string
	for _, records := range [][]record{b.results.kept, b.results.records} {
		for _, rec := range records {
			if strings.HasPrefix(rec.Row, isoPrefix) && rec.Corpus == b.corpus.key && !slices.Contains(names, rec.Row) {
				names = append(names, rec.Row)
			}
		}
	}
	slices.Sort(names)
	slices.Reverse(names) // x86_64 first
	return names
}

// reportImages writes the table into its part of a file, and its records beside it.
func (m images) reportImages(file string) error {
	var s strings.Builder
	var records []record
	for _, name := range m.isoRows() {
		for _, v := range []variant{m.corpus.a, m.corpus.b} {
			ours, what, limit := livebuild, "cold", isoColdGoal
			if v.name == m.corpus.b.name {
				ours, what, limit = reusing, "changed", isoChangedGoal
			}
			found, ok := m.results.find(m.corpus.key, name, v.name, ours, derivation)
			if !ok {
				continue
			}
			o, t := found[0], found[1]
			records = append(append(records, o...), t...)
			verdict := ""
			if strings.Contains(name+memoryMark, ":"+isoGoalCodec+memoryMark) {
				verdict = goal(limit, o.median(wall)/t.median(wall))
			}
			fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s |", rowTitle(name), what, runs(o, t),
				turned(o, t, wall, "%.1f", 1), verdict, turned(o, t, cpu, "%.1f", 1))
			for _, figure := range []func(record) float64{written, diskPeak, imageSize} {
				fmt.Fprintf(&s, " %.0f | %.0f |", t.median(figure)/1e6, o.median(figure)/1e6)
			}
			s.WriteString("\n")
		}
	}
	if err := writeBook(file, isoPart, records); err != nil {
		return err
	}
	return writePart(file, isoPart, isoHead+s.String()+"\n"+m.machines(records))
}

// rowTitle is what a row is called in the table.
func rowTitle(name string) string {
	title := strings.Replace(strings.TrimPrefix(name, isoPrefix), ":", ", ", 1)
	if title, memory, limited := strings.Cut(title, memoryMark); limited {
		return title + ", " + memory + "iB of memory"
	}
	return title
}

// turned is a figure of the other and of livebuild, and the ratio.
func turned(ours, theirs series, figure func(record) float64, format string, unit float64) string {
	o, t := ours.median(figure), theirs.median(figure)
	return fmt.Sprintf(format+" | "+format+" | **%.3f**", t/unit, o/unit, o/t)
}

// machines says what records were made on, and with which programs of others.
func (b *benchmark) machines(records []record) string {
	var machines, versions []string
	for _, rec := range records {
		if rec.Machine != "" && !slices.Contains(machines, rec.Machine) {
			machines = append(machines, rec.Machine)
		}
		if rec.Tool != livebuild && rec.Tool != reusing && !slices.Contains(versions, rec.Version) {
			versions = append(versions, rec.Version)
		}
	}
	if len(machines) == 0 {
		return "Nothing of it has been measured yet.\n"
	}
	return fmt.Sprintf("Machine: %s. Programs of others: %s.\n", strings.Join(machines, "; for other rows "), cmp.Or(strings.Join(versions, "; "), "none"))
}
