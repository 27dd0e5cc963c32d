package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/wire"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/transfer"
)

// runWriteURL writes an image on a server to disks. The disks are opened before the download, so that
// nothing else gets at them and what they have can be taken from them, and written after it: until the
// image is here, whole and checked, they hold what they held.
func (v verbs) runWriteURL(ctx context.Context, address string, devices []string, opts writeOptions) (err error) {
	values, err := opts.stamp.Read(v.In)
	if err != nil {
		return err
	}
	key, err := opts.stamp.Key()
	if err != nil {
		return err
	}
	src, err := wire.Open(ctx, v.App, address, opts.server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	sum, err := src.Sum(ctx, opts.sha256)
	if opts.force && face.Is[*imagefile.SumError](err) {
		v.Console.Warn(err.Error() + "; it is not checked")
		err = nil
	}
	if err != nil {
		return err
	}
	signed, err := src.Signed(ctx, opts.key)
	if err != nil {
		return err
	}
	_, open, err := v.reach(device.Local(), devices, opts, src.Name(), src.ImageSize())
	if err != nil {
		return err
	}
	opened, err := open()
	if err != nil {
		return err
	}
	w := &Writing{verbs: v, devices: opened, options: opts.Options, json: opts.json, verifyOnly: opts.verifyOnly, key: key}
	defer func() { err = errors.Join(err, w.Release()) }()
	if err := w.Stamp(values); err != nil {
		return err
	}

	path, err := downloadPath(address, src.Name())
	if err != nil {
		return err
	}
	got, err := src.Download(ctx, wire.Want{
		Path:   path,
		Sum:    sum,
		Any:    opts.force,
		Signed: signed,
		Seeds:  opts.seeds,
		Found:  wire.Seeds(path),
		Disks:  seedsOn(ctx, opened),
	})
	if err != nil {
		return err
	}
	v.Console.Line(report.Download{
		Size: src.Size, Downloaded: src.Received.Load(), Saved: got.Saved + got.Kept, Trust: report.TrustIn(got.Signer, sum, src.Secure),
	}.Summary())
	if err := w.writeDownload(ctx, path, src.URL, opts); err != nil {
		return err
	}
	return os.Remove(path)
}

// writeDownload writes a file that was checked when it was downloaded.
func (w *Writing) writeDownload(ctx context.Context, path, name string, opts writeOptions) (err error) {
	file, err := imagefile.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if !opts.force {
		if err := w.checkStart(file, name, opts); err != nil {
			return err
		}
	}
	facts, err := w.CheckImage(ctx, file, imagefile.CheckOptions{Any: opts.force})
	if err != nil {
		return err
	}
	if err := w.options.checkKeeps(name, file.Plain(), facts.Size); err != nil {
		return err
	}
	return w.copyFile(ctx, file, facts.Size)
}

// seedsOn makes seeds of the images on disks.
func seedsOn(ctx context.Context, devices []*device.Device) []transfer.Seed {
	var seeds []transfer.Seed
	for _, dev := range devices {
		if s, err := transfer.OpenSeed(ctx, dev.Disk.Path, dev, dev.Disk.Size); err == nil {
			seeds = append(seeds, s)
		}
	}
	return seeds
}

// keepDownloads is how long what was downloaded for disks waits to be written.
const keepDownloads = 14 * 24 * time.Hour

// downloadPath is where an image for disks goes that is at a URL: in the cache folder, where the next
// try finds it. What nobody came back for is removed.
func downloadPath(address, name string) (string, error) {
	folder := filepath.Join(face.CacheFolder(), "downloads")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < keepDownloads {
			continue
		}
		if err := os.Remove(filepath.Join(folder, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	id := sha256.Sum256([]byte(address))
	return filepath.Join(folder, hex.EncodeToString(id[:8])+"-"+name), nil
}
