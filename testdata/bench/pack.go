package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// packed is what the child that packs says of its work.
type packed struct {
	Data   int64 `json:"data"`   // bytes of the image that are files' contents
	Reused int64 `json:"reused"` // of them, those taken from the earlier image
}

// canReuse says whether image.PackOptions takes an earlier image. Until then
// the rows of the second table are left out.
const canReuse = false

// packArgs are the arguments that make this program the child that packs.
func packArgs(c *corpus, v variant, r row, workers string, output, reuse string) []string {
	args := []string{packVerb, "-store", c.store(), "-closure", v.closure, "-compression", r.compression, "-workers", workers, "-output", output}
	if reuse != "" {
		args = append(args, "-reuse", reuse)
	}
	return args
}

const packVerb = "pack"

// pack packs a closure as 'livebuild iso' does, into a file of its own.
func pack(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet(packVerb, flag.ExitOnError)
	store := flags.String("store", "", "root of the store")
	closure := flags.String("closure", "", "file with the closure")
	compression := flags.String("compression", "", "in mksquashfs' words")
	workers := flags.Int("workers", 0, "compressors")
	output := flags.String("output", "", "file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	settings, err := codec.Parse(*compression)
	if err != nil {
		return err
	}
	src, err := loadSources(*store, *closure)
	if err != nil {
		return err
	}
	f, err := os.Create(*output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	summary, err := image.PackStore(ctx, f, src, settings, image.PackOptions{Workers: *workers})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(packed{Data: summary.DataBytes})
}
