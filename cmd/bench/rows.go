package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// row is a line of the tables: a compression that both programs are given.
type row struct {
	name        string // as the command line has it
	compression string // in mksquashfs' words
	wallGoal    float64
	sizeGoal    float64
	reuseGoal   float64 // of the time of mksquashfs, when one package has changed; 0: not measured
	checked     bool    // measured is how long checking takes, too
}

// coldRows compress everything. The goals are ratios to mksquashfs.
var coldRows = []row{
	{name: "none", compression: "none", wallGoal: 0.8, sizeGoal: 0.99, checked: true},
	{name: "lz4", compression: "lz4", wallGoal: 0.8, sizeGoal: 0.99, reuseGoal: 0.15, checked: true},
	{name: "gzip:1", compression: "gzip -Xcompression-level 1", wallGoal: 0.5, sizeGoal: 0.98, checked: true},
	{name: "gzip:9", compression: "gzip -Xcompression-level 9", wallGoal: 0.5, sizeGoal: 0.98},
	{name: "zstd:3", compression: "zstd -Xcompression-level 3", wallGoal: 0.7, sizeGoal: 0.98, checked: true},
	{name: "zstd:6", compression: "zstd -Xcompression-level 6", wallGoal: 0.7, sizeGoal: 0.98},
	{name: "zstd:15", compression: "zstd -Xcompression-level 15", wallGoal: 0.7, sizeGoal: 0.98},
	{name: "zstd:19", compression: "zstd -Xcompression-level 19", wallGoal: 0.7, sizeGoal: 0.98, reuseGoal: 0.05},
	{name: "xz", compression: "xz -Xdict-size 100%", wallGoal: 0.7, sizeGoal: 0.98, reuseGoal: 0.05, checked: true},
	{name: "xz:x86", compression: "xz -Xdict-size 100% -Xbcj x86", wallGoal: 0.7, sizeGoal: 0.98},
}

// reusedGoal is the share of an image's bytes that come from the earlier one.
const reusedGoal = 0.95

// memoryGoal bounds the packer's memory in bytes, for two workers.
const memoryGoal = 200 << 20

// reusePrefix marks, on the command line, a row of the second table.
const reusePrefix = "reuse:"

// checkPrefix marks a row of the table of checks.
const checkPrefix = "verify:"

// selectRows returns the rows that the words name, of each table; all of them
// if there are no words.
func selectRows(words []string) (cold, reuse, check []row, err error) {
	checked := slices.DeleteFunc(slices.Clone(coldRows), func(r row) bool { return !r.checked })
	reusable := slices.DeleteFunc(slices.Clone(coldRows), func(r row) bool { return r.reuseGoal == 0 })
	if len(words) == 0 {
		return coldRows, reusable, checked, nil
	}
	for _, word := range words {
		rows, into := coldRows, &cold
		name, isReuse := strings.CutPrefix(word, reusePrefix)
		if isReuse {
			rows, into = reusable, &reuse
		}
		name, isCheck := strings.CutPrefix(name, checkPrefix)
		if isCheck {
			rows, into = checked, &check
		}
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
		if i < 0 {
			return nil, nil, nil, fmt.Errorf("no row %s", word)
		}
		*into = append(*into, rows[i])
	}
	return cold, reuse, check, nil
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
