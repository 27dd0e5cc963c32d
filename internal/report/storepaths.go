package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/inspection"
)

// StorePaths are the store paths of an image with their sizes.
type StorePaths struct{ *inspection.Paths }

// MarshalJSON returns an object.
func (r StorePaths) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Roots    []string          `json:"roots"`
		Metadata int64             `json:"metadata"` // bytes
		Paths    []inspection.Path `json:"paths"`
	}{append([]string{}, r.Roots...), r.Metadata, append([]inspection.Path{}, r.List...)})
}

// Text is a table, the largest first.
func (r StorePaths) Text(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "SIZE\tREAD\tCLOSURE\t STORE PATH")
	sum, read := r.Metadata, int64(0)
	for _, p := range r.List {
		sum += p.Size
		read += p.Bytes
		fmt.Fprintf(w, "%s\t%s\t%s\t %s\n", human.Size(p.Size), human.Size(p.Bytes), human.Size(p.ClosureSize), shown(p.Path))
	}
	fmt.Fprintf(w, "%s\t\t\t metadata\n", human.Size(r.Metadata))
	fmt.Fprintf(w, "%s\t%s\t\t all of %s\n", human.Size(sum), human.Size(read), human.Count(len(r.List), "store path"))
	return w.Flush()
}

// Chains say who needs store paths.
type Chains []inspection.Chain

// Text has a line for each path of a chain, each below the one that refers to it.
func (r Chains) Text(w io.Writer) error {
	for n, chain := range r {
		if n > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		for depth, path := range chain {
			if _, err := fmt.Fprintf(w, "%s%s\n", strings.Repeat("  ", depth), shown(path)); err != nil {
				return err
			}
		}
	}
	return nil
}
