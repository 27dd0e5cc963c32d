package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A book is the file of data beside a report, of the same name but ".json": an object with the
// records of each part of the report, one a line. What a run does not measure it takes from there,
// so that a report can be made a few rows at a time, and on several machines.
const (
	packingPart  = "packing"
	checkingPart = "checking"
)

// bookParts are those that have a record for each run.
var bookParts = []string{packingPart, checkingPart, isoPart, readPart, bootPart}

// beside is the file of another kind that goes with a report.
func beside(report, suffix string) string {
	return strings.TrimSuffix(report, filepath.Ext(report)) + suffix
}

// readBook returns the records of a part of a report, none if there is no book yet.
func readBook[T any](report, part string) ([]T, error) {
	book, err := openBook(report)
	if err != nil {
		return nil, err
	}
	records := make([]T, len(book[part]))
	for i, line := range book[part] {
		if err := json.Unmarshal(line, &records[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", beside(report, ".json"), err)
		}
	}
	return records, nil
}

func openBook(report string) (map[string][]json.RawMessage, error) {
	book := map[string][]json.RawMessage{}
	text, err := os.ReadFile(beside(report, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return book, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &book); err != nil {
		return nil, fmt.Errorf("%s: %w", beside(report, ".json"), err)
	}
	return book, nil
}

// writeBook replaces the records of a part.
func writeBook[T any](report, part string, records []T) error {
	book, err := openBook(report)
	if err != nil {
		return err
	}
	lines := make([]json.RawMessage, len(records))
	for i, r := range records {
		if lines[i], err = json.Marshal(r); err != nil {
			return err
		}
	}
	book[part] = lines
	var s strings.Builder
	s.WriteString("{")
	for i, name := range slices.Sorted(maps.Keys(book)) {
		if i > 0 {
			s.WriteString(",")
		}
		fmt.Fprintf(&s, "\n%q: [", name)
		for j, line := range book[name] {
			if j > 0 {
				s.WriteString(",")
			}
			fmt.Fprintf(&s, "\n%s", line)
		}
		s.WriteString("\n]")
	}
	s.WriteString("\n}\n")
	file := beside(report, ".json")
	if err := os.WriteFile(file+".new", []byte(s.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
