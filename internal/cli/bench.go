package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/trial"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

type benchOptions struct {
	configurationOptions
	compressions []string
	sample       int // MB
	jobs         int
	json         bool
}

// triedByDefault are the compressions that are worth a comparison, beside the
// configuration's own. gzip is beaten by zstd in everything.
var triedByDefault = []string{"lz4", "zstd:3", "zstd:6", "zstd:15", "zstd:19", "xz"}

func (a *app) benchCommand() *cobra.Command {
	var opts benchOptions
	cmd := &cobra.Command{
		Use:   "bench INSTALLABLE [flags]",
		Short: "Compare compressions on a configuration's own files",
		Long: `Build a NixOS configuration, pack its store with several compressions, and
print what each of them takes: time, size, memory, and how fast files are read
back, which is what the live system will feel. Nothing is kept.

Of a large store a sample is packed: files of all sizes, in proportion. Time and
size are then estimates for the whole, and say so.

Lines are marked: "configured" is what the configuration says, "smallest" makes
the smallest image, and "quick" is soonest on a USB stick, if that takes 20 MB a
second: what packs faster makes more to write.`,
		Example: `  livebuild bench .#exampleIso
  livebuild bench .#exampleIso --compression zstd:9 --compression "xz -Xbcj x86"
  livebuild bench .#exampleIso --sample 0`,
		Args: oneInstallable,
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.jobs < 0 {
				return &usageError{fmt.Errorf("--jobs needs a number of workers, not %d", opts.jobs)}
			}
			if opts.sample < 0 {
				return &usageError{fmt.Errorf("--sample needs a number of megabytes, not %d", opts.sample)}
			}
			of, err := parseInstallable(args, opts.file)
			if err != nil {
				return err
			}
			return a.runBench(cmd.Context(), of, opts)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&opts.compressions, "compression", nil,
		"try `CODEC`, as 'livebuild iso' takes it; can be given several times (default: the configuration's own, lz4, zstd in four levels, xz)")
	f.IntVar(&opts.sample, "sample", 256, "pack about `MB` megabytes of the files; 0: all")
	f.IntVar(&opts.jobs, "jobs", 0, "compress with `N` workers (default: one for each processor)")
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	opts.addFlags(cmd)
	return cmd
}

// benchResult is what --json prints.
type benchResult struct {
	StoreBytes int64      `json:"store_bytes"` // of files in the store
	TriedBytes int64      `json:"tried_bytes"` // of them, those that were packed
	Trials     []benchRow `json:"trials"`
}

// benchRow is what one compression takes. Seconds and Size are those of the
// whole store, estimated if a sample was packed.
type benchRow struct {
	Compression  string   `json:"compression"`
	Seconds      float64  `json:"seconds"`
	Size         int64    `json:"size"`                  // of the squashfs, in bytes
	MemoryBytes  int64    `json:"memory_bytes"`          // peak while packing; 0: not known
	ReadSpeed    int64    `json:"read_bytes_per_second"` // of files
	TriedSeconds float64  `json:"tried_seconds"`         // measured
	TriedSize    int64    `json:"tried_size"`            // measured
	Marks        []string `json:"marks"`                 // of markConfigured and the others
}

// Marks of a row.
const (
	markConfigured = "configured"
	markQuick      = "quick"
	markSmallest   = "smallest"
	markUnreadable = "not read by its kernel"
)

// stickSpeed is what an ordinary USB stick takes, in bytes per second.
const stickSpeed = 20e6

// onStick is when an image is on a stick, in seconds from the start of packing.
func (r benchRow) onStick() float64 { return r.Seconds + float64(r.Size)/stickSpeed }

func (a *app) runBench(ctx context.Context, of nix.Installable, opts benchOptions) (err error) {
	wanted, err := parseCompressions(opts.compressions)
	if err != nil {
		return err
	}
	b, err := a.newBuild(ctx, of, planOptions{configurationOptions: opts.configurationOptions}, image.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.FindStore(ctx); err != nil {
		return err
	}
	if err := b.Evaluate(ctx); err != nil {
		return err
	}
	if len(wanted) == 0 {
		if wanted, err = a.defaultCompressions(b.Plan().Store().Compression()); err != nil {
			return err
		}
	}
	src, err := b.Realise(ctx)
	if err != nil {
		return err
	}
	result, err := a.tryAll(ctx, b.Plan(), src, wanted, opts)
	if err != nil {
		return err
	}
	return a.print(result, opts.json)
}

// parseCompressions reads the flags, and finds out whether this program has
// what they name.
func parseCompressions(texts []string) ([]codec.Settings, error) {
	var list []codec.Settings
	for _, text := range texts {
		settings, err := codec.Parse(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--compression: %w", err)}
		}
		if _, err := codec.New(settings, 0); err != nil {
			return nil, err
		}
		list = append(list, settings)
	}
	return list, nil
}

// defaultCompressions are the configuration's own and others, as far as this
// program has them.
func (a *app) defaultCompressions(own codec.Settings) ([]codec.Settings, error) {
	list := []codec.Settings{own}
	for _, text := range triedByDefault {
		settings, err := codec.Parse(text)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(s codec.Settings) bool { return sameCompression(s, settings) }) {
			list = append(list, settings)
		}
	}
	return slices.DeleteFunc(list, func(s codec.Settings) bool {
		_, err := codec.New(s, 0)
		if err != nil {
			a.console.Warn(err.Error())
		}
		return err != nil
	}), nil
}

// sameCompression reports whether two settings come to the same, however they
// were written.
func sameCompression(a, b codec.Settings) bool {
	effective := func(s codec.Settings) codec.Settings {
		if c, err := codec.New(s, 0); err == nil {
			return c.Settings()
		}
		return s
	}
	return effective(a) == effective(b)
}

// tryAll packs the store with one compression after the other.
func (a *app) tryAll(ctx context.Context, plan *image.Plan, src image.Sources, list []codec.Settings, opts benchOptions) (_ benchResult, err error) {
	// In the folder for temporary files, which can be a file system in memory,
	// an image of everything may not fit.
	scratch, err := image.CreateScratch(cacheFolder())
	if err != nil {
		return benchResult{}, err
	}
	defer func() { err = errors.Join(err, scratch.Abort()) }()

	var trials *trial.Trials
	_, err = progress.Do(a.console, "reading the store", "", func(t *progress.Task) (_ string, err error) {
		trials, err = trial.New(ctx, src, int64(opts.sample)*1e6, image.PackOptions{Workers: opts.jobs, Progress: t.Bytes})
		if err != nil {
			return "", err
		}
		return "read " + human.Size(trials.Bytes), nil
	})
	if err != nil {
		return benchResult{}, err
	}

	result := benchResult{StoreBytes: trials.Bytes, TriedBytes: trials.Tried}
	for i, settings := range list {
		var tried trial.Trial
		of := fmt.Sprintf("%s (%d of %d)", settings, i+1, len(list))
		_, err := progress.Do(a.console, "trying", of, func(t *progress.Task) (_ string, err error) {
			tried, err = trials.Try(ctx, scratch, settings, image.PackOptions{Workers: opts.jobs, Progress: t.Bytes})
			return "tried " + settings.String(), err
		})
		if err != nil {
			return benchResult{}, err
		}
		row := newBenchRow(settings, tried, trials)
		if sameCompression(settings, plan.Store().Compression()) {
			row.Marks = append(row.Marks, markConfigured)
		}
		if image.CheckKernels(plan.System(), src.Files, settings) != nil {
			row.Marks = append(row.Marks, markUnreadable)
		}
		result.Trials = append(result.Trials, row)
	}
	result.mark()
	return result, nil
}

func newBenchRow(settings codec.Settings, tried trial.Trial, trials *trial.Trials) benchRow {
	row := benchRow{
		Compression:  settings.String(),
		Seconds:      tried.Packing.Seconds(),
		Size:         tried.Size,
		MemoryBytes:  tried.Memory,
		TriedSeconds: tried.Packing.Seconds(),
		TriedSize:    tried.Tried,
		Marks:        []string{},
	}
	if trials.Tried > 0 {
		row.Seconds *= float64(trials.Bytes) / float64(trials.Tried)
	}
	if reading := tried.Reading.Seconds(); reading > 0 {
		row.ReadSpeed = int64(float64(trials.Tried) / reading)
	}
	return row
}

// mark marks the smallest and the quick one of those that the live system can
// read.
func (r *benchResult) mark() {
	var able []*benchRow
	for i := range r.Trials {
		if !slices.Contains(r.Trials[i].Marks, markUnreadable) {
			able = append(able, &r.Trials[i])
		}
	}
	if len(able) < 2 {
		return
	}
	smallest := slices.MinFunc(able, func(a, b *benchRow) int { return cmp.Compare(a.TriedSize, b.TriedSize) })
	quick := slices.MinFunc(able, func(a, b *benchRow) int { return cmp.Compare(a.onStick(), b.onStick()) })
	quick.Marks = append(quick.Marks, markQuick)
	smallest.Marks = append(smallest.Marks, markSmallest)
}

// text is a table.
func (r benchResult) text(w io.Writer) error {
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
