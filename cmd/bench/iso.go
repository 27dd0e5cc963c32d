package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/livebuild/livebuild/internal/gauge"
	"github.com/livebuild/livebuild/internal/readback"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

const (
	isoVerb   = "iso"
	isoPart   = "images"
	isoPrefix = "iso:" // of rows
)

// derivation is the tool that livebuild stands in for: the ISO module's own derivation.
const derivation = "nixpkgs' derivation"

// images measures how an image is made from a configuration, as a whole.
type images struct {
	*benchmark
	disk  string // the file system of its own that holds store, builds and images
	nix   string // iso.nix
	flake string // the mini flake
	tools string // of the derivation
}

// isoBench measures the rows that are named, and makes the table.
func isoBench(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(isoVerb, flag.ExitOnError)
	dir := flags.String("corpus", ".work/bench", "`folder` that corpus.sh made")
	disk := flags.String("disk", "", "`folder` that the file system is mounted at")
	nix := flags.String("nix", "testdata/bench/iso.nix", "`file` with configurations and derivations")
	flake := flags.String("flake", "", "`folder` of the mini flake")
	tools := flags.String("tools", "", "`folder` with the programs of derivations")
	program := flags.String("livebuild", "bin/livebuild", "the `program`")
	report := flags.String("report", "docs/benchmarks.md", "`file` that gets the table")
	runs := flags.Int("runs", 3, "times that each is run for a row")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b, err := newBenchmark(ctx, *dir, "", *report, *runs)
	if err != nil {
		return err
	}
	m := images{benchmark: b, disk: *disk}
	for _, p := range []struct {
		to   *string
		from string
	}{{&m.nix, *nix}, {&m.flake, *flake}, {&m.tools, *tools}, {&m.program, *program}} {
		if *p.to, err = filepath.Abs(p.from); err != nil {
			return err
		}
	}
	if m.packer, err = sourcesKey(".", "cmd/livebuild", "internal", "pkg", "go.sum"); err != nil {
		return err
	}
	for _, word := range flags.Args() {
		r, err := parseISORow(word)
		if err != nil {
			return err
		}
		if err := m.measure(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
		if err := m.reportImages(*report); err != nil {
			return err
		}
	}
	return m.reportImages(*report)
}

// isoRow is a platform and a compression, and perhaps a limit of memory.
type isoRow struct {
	platform string
	codec    string
	memory   string // as it was given; "" for that of the machine
	bytes    int64  // of it, 0 for that of the machine
}

func (r isoRow) row() row {
	name := isoPrefix + r.platform + ":" + r.codec
	if r.memory != "" {
		name += memoryMark + r.memory
	}
	return row{name: name}
}

// memoryMark stands before the memory in the name of a row.
const memoryMark = "@"

// words are the compression as mksquashfs has it.
func (r isoRow) words() (string, error) {
	settings, err := codec.Parse(r.codec)
	if err != nil {
		return "", err
	}
	name, level, _ := strings.Cut(settings.String(), ":")
	switch {
	case settings.Name == codec.None || strings.Contains(r.codec, " "):
		return "", fmt.Errorf("%s: a row has a compressor and its level", r.codec)
	case level == "hc":
		return name + " -Xhc", nil
	case settings.Name == codec.XZ:
		return name + " -Xdict-size 100%", nil // as nixpkgs has it
	case level != "":
		return name + " -Xcompression-level " + level, nil
	}
	return name, nil
}

// packerMemory is the flag that gives mksquashfs the share of a limit that it takes of a machine's
// memory by itself (mksquashfs.c, SQUASHFS_TAKE): it knows nothing of limits.
func (r isoRow) packerMemory() string {
	const share = 4
	if r.bytes == 0 {
		return ""
	}
	return fmt.Sprintf("-mem %dM", r.bytes>>20/share)
}

func parseISORow(word string) (isoRow, error) {
	platform, compression, _ := strings.Cut(word, ":")
	compression, memory, limited := strings.Cut(compression, memoryMark)
	r := isoRow{platform: platform, codec: compression, memory: memory}
	if limited {
		var err error
		if r.bytes, err = gauge.ParseMemory(memory); err != nil {
			return r, err
		}
	}
	if platform != "x86_64" && platform != "aarch64" {
		return r, fmt.Errorf("%s: the platform of a row is x86_64 or aarch64", word)
	}
	_, err := r.words()
	return r, err
}

// measure makes the runs of a row that are not there yet. In turns each tool makes an image of
// variant a with nothing at hand, and one of variant b: there the derivation begins afresh, and
// livebuild has its image from before, in whose place the new one goes.
func (m images) measure(ctx context.Context, r isoRow) error {
	done := func(v variant, tool string) int { return len(m.done(r.row(), v, tool)) }
	warm := false
	for i := range m.runs {
		for _, v := range []variant{m.corpus.a, m.corpus.b} {
			ours := livebuild
			if v.name == m.corpus.b.name {
				ours = reusing
			}
			if done(v, derivation) > i && done(v, ours) > i {
				continue
			}
			if !warm {
				if err := m.prepare(ctx, r); err != nil {
					return err
				}
				warm = true
			}
			if err := m.derive(ctx, r, v); err != nil {
				return err
			}
			if v.name == m.corpus.b.name { // the image from before, whatever was measured last
				if _, err := m.livebuildISO(ctx, r, m.corpus.a, "none"); err != nil {
					return err
				}
			}
			reuse := map[string]string{livebuild: "none", reusing: "auto"}[ours]
			rec, err := m.livebuildISO(ctx, r, v, reuse)
			if err != nil {
				return err
			}
			rec.Tool = ours
			if err := m.keep(rec); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// image is where livebuild's image of a row goes.
func (m images) image(r isoRow) string {
	return filepath.Join(m.disk, "images", strings.ReplaceAll(r.row().name, ":", "-")+".iso")
}

// store are the Nix flags that both are given.
func (m images) store() []string { return []string{"--store", filepath.Join(m.disk, "store")} }

// file writes the file that names what is measured, and returns its name.
func (m images) file(r isoRow) (string, error) {
	words, err := r.words()
	if err != nil {
		return "", err
	}
	name := filepath.Join(m.corpus.dir, "images.nix")
	text := fmt.Sprintf("import %s {\n  flake = %s;\n  lists = %s;\n  tools = %s;\n  compression = %q;\n  packerFlags = %q;\n}\n",
		m.nix, m.flake, m.corpus.dir, m.tools, words, r.packerMemory())
	return name, os.WriteFile(name, []byte(text), 0o644)
}

// prepare builds everything that is not an image: what both make one from.
func (m images) prepare(ctx context.Context, r isoRow) error {
	for _, v := range []variant{m.corpus.a, m.corpus.b} {
		file, err := m.file(r)
		if err != nil {
			return err
		}
		drv, err := exec.CommandContext(ctx, "nix-instantiate", append(m.store(), file, "-A", "derivations."+r.platform+"-"+v.name)...).Output()
		if err != nil {
			return told("nix-instantiate", err)
		}
		inputs, err := exec.CommandContext(ctx, "nix-store", append(m.store(), "--query", "--references", strings.TrimSpace(string(drv)))...).Output()
		if err != nil {
			return told("nix-store --query", err)
		}
		if err := readback.Run(ctx, "nix-store", append(append(m.store(), "--realise"), strings.Fields(string(inputs))...)...); err != nil {
			return err
		}
	}
	// Its kernel, boot programs and the like; and the closure is read, so that it is in memory.
	quick := isoRow{platform: r.platform, codec: "lz4"}
	if _, err := m.livebuildISO(ctx, quick, m.corpus.a, "none"); err != nil {
		return err
	}
	return os.Remove(m.image(quick))
}

// derive has Nix build the derivation, and its closure-info, which another closure needs, too.
func (m images) derive(ctx context.Context, r isoRow, v variant) error {
	file, err := m.file(r)
	if err != nil {
		return err
	}
	attr := "derivations." + r.platform + "-" + v.name
	drv, err := exec.CommandContext(ctx, "nix-instantiate", append(m.store(), file, "-A", attr)...).Output()
	if err != nil {
		return told("nix-instantiate", err)
	}
	if err := m.forget(ctx, strings.TrimSpace(string(drv))); err != nil {
		return err
	}
	var rec record
	var out []byte
	use, err := m.within(r, func(limit *gauge.Limit) (err error) {
		rec, out, err = watchedWithin(ctx, limit, "nix-build", append(m.store(), "--no-out-link", "--cores", fmt.Sprint(m.workers), file, "-A", attr)...)
		return err
	})
	if err != nil {
		return err
	}
	image := filepath.Join(m.disk, "store", strings.TrimSpace(string(out)), "iso", "mini.iso")
	info, err := os.Stat(image)
	if err != nil {
		return err
	}
	rec.Tool, rec.Version = derivation, "mksquashfs, xorriso"
	if text, err := os.ReadFile(filepath.Join(m.tools, r.platform+"-linux", "version")); err == nil {
		rec.Version = strings.TrimSpace(string(text))
	}
	rec.Size, rec.Written, rec.Disk = info.Size(), use.Written, use.Peak
	return errors.Join(m.keep(m.describe(rec, r.row(), v)), m.forget(ctx, strings.TrimSpace(string(drv))))
}

// within runs something with the memory of a row, and returns what it did to the disk. If that is
// limited, nothing is in memory before, since what is there belongs to nobody within the limit.
func (m images) within(r isoRow, run func(*gauge.Limit) error) (use gauge.DiskUse, err error) {
	var limit *gauge.Limit
	if r.bytes > 0 {
		if limit, err = gauge.LimitMemory(r.bytes); err != nil {
			return use, err
		}
		defer func() { err = errors.Join(err, limit.Remove()) }()
	}
	return gauge.OnDisk(m.disk, func() error {
		if limit != nil { // all is on the disk now
			if err := gauge.DropCaches(); err != nil {
				return err
			}
		}
		return run(limit)
	})
}

// forget deletes what a derivation has made, as far as it is there.
func (m images) forget(ctx context.Context, drv string) error {
	out, err := exec.CommandContext(ctx, "nix-store", append(m.store(), "--query", "--outputs", drv)...).Output()
	if err != nil {
		return told("nix-store --query", err)
	}
	path := strings.TrimSpace(string(out))
	if _, err := os.Lstat(filepath.Join(m.disk, "store", path)); err != nil {
		return nil
	}
	return readback.Run(ctx, "nix-store", append(m.store(), "--delete", path)...)
}

// livebuildISO runs 'livebuild iso'.
func (m images) livebuildISO(ctx context.Context, r isoRow, v variant, reuse string) (record, error) {
	file, err := m.file(r)
	if err != nil {
		return record{}, err
	}
	if reuse == "none" {
		if err := os.Remove(m.image(r)); err != nil && !os.IsNotExist(err) {
			return record{}, err
		}
	}
	args := append([]string{"iso", "-f", file, r.platform + "-" + v.name, "-o", m.image(r), "--reuse", reuse, "--jobs", fmt.Sprint(m.workers)}, m.store()...)
	var rec record
	use, err := m.within(r, func(limit *gauge.Limit) (err error) {
		rec, _, err = watchedWithin(ctx, limit, m.program, args...)
		return err
	})
	if err != nil {
		return rec, err
	}
	info, err := os.Stat(m.image(r))
	if err != nil {
		return rec, err
	}
	rec.Tool, rec.Version = livebuild, livebuild
	rec.Size, rec.Written, rec.Disk = info.Size(), use.Written, use.Peak
	return m.describe(rec, r.row(), v), nil
}

// told is the error of a program with what it said.
func told(name string, err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("%s: %w\n%s", name, err, exit.Stderr)
	}
	return fmt.Errorf("%s: %w", name, err)
}
