package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// extractStore copies the squashfs out of an image, for readers that want it as
// a file.
func extractStore(image, squashfs string) (err error) {
	f, err := os.Open(image)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := hybridiso.ReadTree(f)
	if err != nil {
		return err
	}
	out, err := os.Create(squashfs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for _, entry := range entries {
		if entry.Path != medium.StoreImage {
			continue
		}
		for _, extent := range entry.Extents {
			if _, err := io.Copy(out, io.NewSectionReader(f, extent.Offset, extent.Size)); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%s has no %s", image, medium.StoreImage)
}
