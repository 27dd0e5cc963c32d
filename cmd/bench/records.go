package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// record is one finished run of a packer, a line of the file of results.
type record struct {
	Time    time.Time `json:"time"`
	Corpus  string    `json:"corpus"` // which one, by the key in its README
	Packer  string    `json:"packer"` // which livebuild, by its sources: see packerKey
	Row     string    `json:"row"`
	Variant string    `json:"variant"` // of the corpus: "a" or "b"
	Tool    string    `json:"tool"`
	Version string    `json:"version"` // of the tool and its compressor
	Workers int       `json:"workers"`
	Machine string    `json:"machine,omitempty"`
	Load    float64   `json:"load,omitempty"` // of the machine, just before
	Of      int       `json:"of,omitempty"`   // how many runs this is the median of, if it is not one run

	Wall   float64 `json:"wall"`   // seconds, as CPU
	CPU    float64 `json:"cpu"`    // of all threads, user and system
	Memory int64   `json:"memory"` // peak, bytes
	Size   int64   `json:"size"`   // bytes
	SHA256 string  `json:"sha256"`
	Data   int64   `json:"data,omitempty"`   // bytes of files' contents in an image of livebuild
	Reused int64   `json:"reused,omitempty"` // of them, those taken from an earlier image

	Written int64 `json:"written,omitempty"` // bytes that a device was given
	Disk    int64 `json:"disk,omitempty"`    // bytes in use there at most, beyond those before

	Readers []string `json:"readers,omitempty"` // that found the image to be equal to its source
}

// Tools.
const (
	livebuild  = "livebuild"          // everything compressed
	reusing    = "livebuild, reusing" // with the image of variant a
	mksquashfs = "mksquashfs"
)

// results is the file of all records.
type results struct {
	path    string
	records []record
	kept    []record // those that the report keeps of what was measured before or elsewhere
}

func openResults(path, report string) (*results, error) {
	r := &results{path: path}
	for _, part := range bookParts {
		kept, err := readBook[record](report, part)
		if err != nil {
			return nil, err
		}
		r.kept = append(r.kept, kept...)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var rec record
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		r.records = append(r.records, rec)
	}
	return r, lines.Err()
}

// add keeps a record, on the disk at once.
func (r *results) add(rec record) error {
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		f.Close()
		return err
	}
	r.records = append(r.records, rec)
	return f.Close()
}

// series are the runs of one tool in one cell of a table.
type series []record

// find returns for each of some tools its runs with the newest livebuild that was measured in a
// row, and whether there are any of all. Runs of others are those made in turns with it. If not
// all ran here, those are returned that the report keeps.
func (r *results) find(corpus, rowName, variant string, tools ...string) ([]series, bool) {
	cells := make([]cell, len(tools))
	for i, tool := range tools {
		cells[i] = cell{variant, tool}
	}
	return r.findCells(corpus, rowName, cells...)
}

// cell is what was packed, and by whom.
type cell struct{ variant, tool string }

// findCells is find for tools that did not pack the same variant, in whose first livebuild counts.
func (r *results) findCells(corpus, rowName string, cells ...cell) ([]series, bool) {
	for _, records := range [][]record{r.records, r.kept} {
		packer := ""
		for _, rec := range records {
			if rec.Corpus == corpus && rec.Row == rowName && rec.Variant == cells[0].variant {
				packer = rec.Packer
			}
		}
		found, complete := make([]series, len(cells)), true
		for i, c := range cells {
			found[i] = pick(records, corpus, packer, rowName, c.variant, c.tool)
			complete = complete && len(found[i]) > 0
		}
		if complete {
			return found, true
		}
	}
	return make([]series, len(cells)), false
}

// of returns the runs made here in turns with one livebuild.
func (r *results) of(corpus, packer, rowName, variant, tool string) series {
	return pick(r.records, corpus, packer, rowName, variant, tool)
}

func pick(records []record, corpus, packer, rowName, variant, tool string) series {
	var found series
	for _, rec := range records {
		if rec.Corpus == corpus && rec.Packer == packer && rec.Row == rowName && rec.Variant == variant && rec.Tool == tool {
			found = append(found, rec)
		}
	}
	return found
}

// runs is how many there were.
func (s series) runs() int {
	n := 0
	for _, rec := range s {
		n += max(1, rec.Of)
	}
	return n
}

// median is the middle of a figure of all runs, or the mean of the two in the
// middle.
func (s series) median(figure func(record) float64) float64 {
	values := make([]float64, len(s))
	for i, rec := range s {
		values[i] = figure(rec)
	}
	slices.SortFunc(values, cmp.Compare)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

// readers are those that read the image of the series.
func (s series) readers() []string {
	for _, rec := range s {
		if len(rec.Readers) > 0 {
			return rec.Readers
		}
	}
	return nil
}

func wall(r record) float64      { return r.Wall }
func cpu(r record) float64       { return r.CPU }
func memory(r record) float64    { return float64(r.Memory) }
func written(r record) float64   { return float64(r.Written) }
func diskPeak(r record) float64  { return float64(r.Disk) }
func imageSize(r record) float64 { return float64(r.Size) }
