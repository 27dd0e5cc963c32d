package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// packed is what the child that packs says of its work.
type packed struct {
	Size   int64 `json:"size"`   // bytes of the squashfs
	Data   int64 `json:"data"`   // of them, the contents of files
	Reused int64 `json:"reused"` // of these, those taken from the earlier image
}

// packArgs are the arguments that make this program the child that packs.
func packArgs(c *corpus, v variant, r row, workers string, output, reuse string) []string {
	args := []string{packVerb, "-store", c.store(), "-closure", v.closure, "-compression", r.compression, "-workers", workers, "-output", output}
	if reuse != "" {
		args = append(args, "-reuse", reuse)
	}
	return args
}

const packVerb = "pack"

// pack packs a closure as 'livebuild iso' does, into an image of its own.
func pack(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet(packVerb, flag.ExitOnError)
	store := flags.String("store", "", "root of the store")
	closure := flags.String("closure", "", "file with the closure")
	compression := flags.String("compression", "", "in mksquashfs' words")
	workers := flags.Int("workers", 0, "compressors")
	output := flags.String("output", "", "file to write")
	reuse := flags.String("reuse", "", "earlier image")
	kernel := flags.String("kernel", "", "file of the store to be on the medium as the kernel, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	debug.SetGCPercent(50) // as livebuild does
	settings, err := codec.Parse(*compression)
	if err != nil {
		return err
	}
	src, err := loadSources(*store, *closure)
	if err != nil {
		return err
	}
	squashed := image.NewStore(settings, image.DefaultEpoch)
	// An image without anything that boots.
	medium := image.Medium{VolumeID: "BENCH", Tree: &boot.Tree{}, Epoch: image.DefaultEpoch}
	if *kernel != "" {
		medium.Tree.Grafts = []boot.Graft{{Target: "boot/bzImage", Source: *kernel, What: "the kernel"}}
	}
	catalog := image.OpenCatalog(filepath.Dir(*output))
	var earlier *image.Earlier
	if *reuse != "" {
		if earlier, err = squashed.OpenEarlier(ctx, *reuse, src.Closure, catalog, *workers); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, earlier.Close()) }()
	}
	f, err := os.Create(*output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	packing, err := image.Prepare(ctx, squashed, medium, src, earlier)
	if err != nil {
		return err
	}
	result, err := packing.Write(ctx, f, image.PackOptions{Workers: *workers})
	if err != nil {
		return err
	}
	squashfs := result.Squashfs
	if err := catalog.Add(*output, squashed, squashfs); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(packed{Size: squashfs.Size, Data: squashfs.DataBytes, Reused: squashfs.ReusedBytes})
}
