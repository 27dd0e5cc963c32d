package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/readback"
)

const (
	bootPart   = "booting"
	bootPrefix = "boot:" // of rows
)

// bootMode is how images are booted: the loader reads the disc through the BIOS, and then the kernel.
const bootMode = medium.BIOSCD

// bootConfiguration is what is booted: a system that compares every file of its store with a list.
const bootConfiguration = "mini"

// booting makes the boots of a row that are not there yet, in turns: of livebuild's image, and of the
// same image with the store as mksquashfs packs it.
func (b *benchmark) booting(ctx context.Context, r row, flake string) (err error) {
	as := row{name: bootPrefix + r.name}
	if b.complete(as) {
		return nil
	}
	folder := filepath.Join(b.corpus.dir, "booting")
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	images := map[string]string{livebuild: filepath.Join(folder, "livebuild.iso"), mksquashfs: filepath.Join(folder, "mksquashfs.iso")}
	if err := readback.Run(ctx, b.program, "iso", "path:"+flake+"#"+bootConfiguration, "-o", images[livebuild], "--compression", r.name, "--reuse", "none"); err != nil {
		return err
	}
	if err := b.repacked(ctx, r, images[livebuild], images[mksquashfs], folder); err != nil {
		return err
	}
	return b.bothInTurns(ctx, r, as, func(tool string) (record, error) { return b.boot(ctx, images[tool]) })
}

// repacked makes an image that is another one but for its store, which mksquashfs packs.
func (b *benchmark) repacked(ctx context.Context, r row, image, to, folder string) (err error) {
	ours, theirs, mounted := filepath.Join(folder, "ours.squashfs"), filepath.Join(folder, "theirs.squashfs"), filepath.Join(folder, "mounted")
	if err := errors.Join(extractStore(image, ours), os.MkdirAll(mounted, 0o755)); err != nil {
		return err
	}
	if err := readback.Run(ctx, "mount", "-t", "squashfs", "-o", "loop,ro", ours, mounted); err != nil {
		return err
	}
	err = readback.Run(ctx, b.theirs, append(b.packingArgs([]string{mounted}, theirs), r.mksquashfsArgs()...)...)
	if err := errors.Join(err, readback.Run(context.WithoutCancel(ctx), "umount", mounted)); err != nil {
		return err
	}
	return readback.Run(ctx, "xorriso", "-indev", image, "-outdev", to, "-boot_image", "any", "replay", "-map", theirs, "/"+medium.StoreImage)
}

// boot boots an image and returns how long it took until the system had looked at its store, by
// livebuild's clock.
func (b *benchmark) boot(ctx context.Context, image string) (record, error) {
	rec, out, err := watched(ctx, b.program, "test", image, "--modes", string(bootMode), "--json",
		"--expect", "^MINI-RESULT PASS", "--reject", "^MINI-(RESULT FAIL|FAIL )")
	if err != nil {
		return rec, err
	}
	var told struct { // what 'livebuild test --json' prints
		Passed bool `json:"passed"`
		Boots  []struct {
			Seconds float64 `json:"seconds"`
		} `json:"boots"`
	}
	if err := json.Unmarshal(out, &told); err != nil {
		return rec, err
	}
	if len(told.Boots) != 1 || !told.Passed {
		return rec, fmt.Errorf("%s did not boot: %s", image, out)
	}
	info, err := os.Stat(image)
	if err != nil {
		return rec, err
	}
	rec.Wall, rec.Size = told.Boots[0].Seconds, info.Size()
	return rec, nil
}

const bootHead = `### Booting

A small system (the test flake's ` + "`%s`" + `, which compares every file of its store with a list while it starts) is booted by QEMU,
by BIOS from a disc, from livebuild's image and, in turns, from the same image with the store as mksquashfs packs it with the same
setting. Seconds are those from the start of QEMU to the result of that, CPU is that of QEMU and of what judges it. Where the processor
is emulated, decompressing takes many times as long as on a real one.

| codec | runs | s to the result: livebuild's | mksquashfs' | ratio | goal | CPU s: livebuild's | mksquashfs' | ratio |
|---|---|---|---|---|---|---|---|---|
`

// bootTable is the table of boots, and its records.
func (b *benchmark) bootTable() (string, []record) {
	var s strings.Builder
	fmt.Fprintf(&s, bootHead, bootConfiguration)
	records := b.bothSides(bootPrefix, func(r row, o, t series) {
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |\n", r.name, runs(o, t), pair(o, t, wall, "%.1f", 1),
			goal(readGoal, o.median(wall)/t.median(wall)), pair(o, t, cpu, "%.1f", 1))
	})
	if len(records) == 0 {
		return "", nil
	}
	return s.String() + "\n" + b.machines(records), records
}
