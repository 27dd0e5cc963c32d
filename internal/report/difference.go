package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/livebuild/livebuild/internal/difference"
	"github.com/livebuild/livebuild/internal/human"
)

// Difference is what differs between two images.
type Difference struct {
	A         ComparedSide `json:"a"`
	B         ComparedSide `json:"b"`
	Equal     bool         `json:"equal"`     // nothing of what is below differs, nor a byte where these were compared
	Identical *bool        `json:"identical"` // two images are equal byte by byte; null: they were not compared so
	Summary   string       `json:"summary"`
	*difference.Difference
}

// ComparedSide is one of them.
type ComparedSide struct {
	Name       string `json:"name"`
	Evaluated  bool   `json:"evaluated"`   // it is a configuration
	Size       *int64 `json:"size"`        // bytes of the image; null: there is none yet
	StorePaths *int   `json:"store_paths"` // null: which is not known
	StoreSize  *int64 `json:"store_size"`  // bytes that they take, compressed; null: not known
	NarSize    *int64 `json:"nar_size"`    // bytes of them unpacked; null: not known
}

// DifferentError says that two images differ, where that was asked.
type DifferentError struct{ A, B string }

func (e *DifferentError) Error() string { return fmt.Sprintf("%s and %s differ", e.A, e.B) }

// NewDifference compares two sides.
func NewDifference(a, b *difference.Side) *Difference {
	r := &Difference{A: newSide(a), B: newSide(b), Difference: difference.Compare(a, b)}
	r.Equal = r.Difference.Equal()
	r.Summary = r.summary()
	return r
}

// Compared adds whether two images, in which nothing else differs, are equal byte by byte.
func (r *Difference) Compared(identical bool) {
	r.Identical, r.Equal = &identical, identical
	r.Summary = r.summary()
}

func newSide(s *difference.Side) ComparedSide {
	c := ComparedSide{Name: s.Name, Evaluated: s.Evaluated}
	if !s.Evaluated {
		c.Size = &s.Image.Size
	}
	if s.Known != difference.Exact {
		return c
	}
	n, size, nar := len(s.Paths), int64(0), int64(0)
	for _, p := range s.Paths {
		size, nar = size+p.Size, nar+p.NarSize
	}
	c.StorePaths, c.NarSize = &n, &nar
	if !s.Evaluated {
		c.StoreSize = &size
	}
	return c
}

// summary says it in a line.
func (r *Difference) summary() string {
	counts := map[difference.Change]int{}
	for _, p := range r.Packages {
		counts[p.Change]++
	}
	var parts, packages []string
	for _, c := range difference.Changes {
		if n := counts[c]; n > 0 {
			packages = append(packages, fmt.Sprintf("%d %s", n, c))
		}
	}
	if len(packages) > 0 {
		parts = append(parts, "packages: "+strings.Join(packages, ", "))
	}
	if before, after, ok := r.Field("kernel"); ok {
		parts = append(parts, fmt.Sprintf("kernel %s → %s", shown(before), shown(after)))
	}
	if n := len(r.Parameters); n > 0 {
		parts = append(parts, "other kernel parameters")
	}
	if n := len(r.Entries); n > 0 {
		parts = append(parts, "other menu entries")
	}
	if n := len(r.Files); n > 0 {
		parts = append(parts, "other files")
	}
	for _, name := range []string{"volume ID", "boots as", "compression"} {
		if before, after, ok := r.Field(name); ok {
			before, _, _ = strings.Cut(before, ", blocks")
			after, _, _ = strings.Cut(after, ", blocks")
			parts = append(parts, fmt.Sprintf("%s %s → %s", name, orNone(before), orNone(after)))
		}
	}
	switch {
	case len(parts) > 0:
	case r.Equal:
		parts = append(parts, "no difference")
	case r.Identical != nil:
		parts = append(parts, "other bytes, but nothing else of what is compared")
	default:
		parts = append(parts, "no other packages")
	}
	if r.A.Size != nil && r.B.Size != nil {
		size := human.Size(*r.B.Size)
		if *r.A.Size != *r.B.Size {
			size = fmt.Sprintf("%s → %s (%s)", human.Size(*r.A.Size), size, delta(*r.B.Size-*r.A.Size))
		}
		parts = append(parts, size)
	}
	return strings.Join(parts, "; ")
}

// delta is a change of a size.
func delta(n int64) string {
	switch {
	case n > 0:
		return "+" + human.Size(n)
	case n < 0:
		return "−" + human.Size(-n)
	}
	return "±0 B"
}

// conclusion says of equal images how equal they are.
func (r *Difference) conclusion() string {
	if r.Identical != nil && *r.Identical {
		return "the same, byte by byte"
	}
	return ""
}

// room is what a package takes more, in the measure that is known.
func room(p difference.Package) string {
	switch {
	case p.Size != nil:
		return delta(*p.Size)
	case p.NarSize != nil:
		return delta(*p.NarSize) + " unpacked"
	}
	return ""
}

// versions are the versions of a package before and after.
func versions(p difference.Package) string {
	before, after := versionList(p.Before), versionList(p.After)
	switch p.Change {
	case difference.Added:
		return after
	case difference.Removed, difference.Rebuilt:
		return before
	}
	return before + " → " + after
}

func versionList(list []string) string {
	words := slices.Clone(list)
	for n, v := range words {
		if words[n] = shown(v); v == "" {
			words[n] = "-"
		}
	}
	return strings.Join(words, ", ")
}

// store says how many store paths there are on both sides, and what they take.
func (r *Difference) store() string {
	if r.A.StorePaths == nil || r.B.StorePaths == nil {
		return ""
	}
	line := fmt.Sprintf("%d → %s", *r.A.StorePaths, human.Count(*r.B.StorePaths, "store path"))
	if r.A.StoreSize != nil && r.B.StoreSize != nil {
		line += fmt.Sprintf(", %s → %s (%s)", human.Size(*r.A.StoreSize), human.Size(*r.B.StoreSize), delta(*r.B.StoreSize-*r.A.StoreSize))
	}
	if *r.A.NarSize > 0 && *r.B.NarSize > 0 {
		line += fmt.Sprintf(", unpacked %s → %s (%s)", human.Size(*r.A.NarSize), human.Size(*r.B.NarSize), delta(*r.B.NarSize-*r.A.NarSize))
	}
	return line
}

// parameter is a change of parameters in words.
func parameter(p difference.Parameter) string {
	var words []string
	for _, w := range p.Removed {
		words = append(words, "−"+shown(w))
	}
	for _, w := range p.Added {
		words = append(words, "+"+shown(w))
	}
	return strings.Join(words, "  ")
}

func where(p difference.Parameter) string {
	if p.Entries == p.Of {
		return "in all entries"
	}
	if p.Entries == 1 {
		return "in " + shown(p.First)
	}
	return fmt.Sprintf("in %d of %d entries, such as %s", p.Entries, p.Of, shown(p.First))
}

// mostBeside is how long two values in one line are, in bytes.
const mostBeside = 62

// mostFiles is how many other files people are told of.
const mostFiles = 20

// Text says it for people, the summary first.
func (r *Difference) Text(out io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s → %s: %s\n", shown(r.A.Name), shown(r.B.Name), r.Summary)
	if end := r.conclusion(); end != "" {
		fmt.Fprintln(&b, end)
	}
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	if len(r.Fields) > 0 {
		fmt.Fprintln(w)
	}
	for _, f := range r.Fields {
		before, after := orNone(f.Before), orNone(f.After)
		if len(before)+len(after) > mostBeside {
			fmt.Fprintf(w, "%s\t%s\n\t→ %s\n", f.Name, before, after)
		} else {
			fmt.Fprintf(w, "%s\t%s → %s\n", f.Name, before, after)
		}
	}
	if line := r.store(); line != "" && !r.Equal {
		fmt.Fprintf(w, "store\t%s\n", line)
	}
	if len(r.Parameters) > 0 {
		fmt.Fprintf(w, "\nkernel parameters\n")
	}
	for _, p := range r.Parameters {
		fmt.Fprintf(w, "  %s\t%s\n", where(p), parameter(p))
	}
	if len(r.Entries) > 0 {
		fmt.Fprintf(w, "\nmenu entries\n")
	}
	for _, e := range entryGroups(r.Entries) {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", e.change, e.title, e.where)
	}
	if len(r.Files) > 0 {
		fmt.Fprintf(w, "\nother files\n")
	}
	for _, f := range r.Files[:min(len(r.Files), mostFiles)] {
		fmt.Fprintf(w, "  %s\t%s\n", f.Change, shown(f.Path))
	}
	if more := len(r.Files) - mostFiles; more > 0 {
		fmt.Fprintf(w, "  and %d more; --json lists them all\n", more)
	}
	last := difference.Change("")
	for _, p := range r.Packages {
		if p.Change != last {
			fmt.Fprintf(w, "\npackages %s\n", p.Change)
			last = p.Change
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", shown(p.Name), versions(p), room(p))
	}
	if len(r.Unknown) > 0 {
		fmt.Fprintln(w)
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(w, "not known: %s\n", shown(u))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range bytes.Lines(b.Bytes()) {
		if _, err := fmt.Fprintf(out, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return shown(value)
}

// entryGroup is entries of the same title, in a menu and in its submenus.
type entryGroup struct {
	change       difference.Change
	title, where string
}

// entryGroups brings entries together that are also in submenus, as those of other parameters.
func entryGroups(entries []difference.Entry) []entryGroup {
	type key struct {
		change difference.Change
		title  string
	}
	var order []key
	found := map[key][]difference.Entry{}
	for _, e := range entries {
		k := key{e.Change, e.Title[strings.LastIndex(difference.Below+e.Title, difference.Below):]}
		if found[k] == nil {
			order = append(order, k)
		}
		found[k] = append(found[k], e)
	}
	var groups []entryGroup
	for _, k := range order {
		first := found[k][0]
		where := strings.Join(first.Loaders, ", ")
		if more := len(found[k]) - 1; more > 0 {
			where += fmt.Sprintf(", and in %s", human.Count(more, "submenu"))
		}
		groups = append(groups, entryGroup{k.change, shown(first.Title), "(" + where + ")"})
	}
	return groups
}
