package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/trial"
)

// Comparison is that of compressions.
type Comparison struct{ *trial.Comparison }

// Text writes a table.
func (r Comparison) Text(w io.Writer) error {
	about := ""
	if r.TriedBytes < r.StoreBytes {
		about = "~"
		if _, err := fmt.Fprintf(w, "estimates for a store of %s, from %s of it:\n\n", human.Size(r.StoreBytes), human.Size(r.TriedBytes)); err != nil {
			return err
		}
	}
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "compression\ttime\tsize\tof the store\tmemory\treading\t")
	for _, row := range r.Trials {
		memory := "?"
		if row.MemoryBytes > 0 {
			memory = human.Size(row.MemoryBytes)
		}
		fmt.Fprintf(t, "%s\t%s%s\t%s%s\t%.1f %%\t%s\t%s/s\t%s\n", row.Compression,
			about, human.Seconds(time.Duration(row.Seconds*float64(time.Second))), about, human.Size(row.Size),
			100*float64(row.Size)/float64(max(r.StoreBytes, 1)), memory, human.Size(row.ReadSpeed), strings.Join(row.Marks, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil { // lines without marks
			return err
		}
	}
	return nil
}
