package report

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/image"
)

// Image is one that was made, wherever it went.
type Image struct {
	File          string    `json:"file,omitempty"`
	Size          int64     `json:"size"`             // of the file in bytes
	ImageBytes    int64     `json:"image_bytes"`      // of the image: more if isoImage.compressImage is set
	SHA256        string    `json:"sha256,omitempty"` // not of disks that are not read back
	VolumeID      string    `json:"volume_id"`
	System        string    `json:"system"`
	Toplevel      string    `json:"toplevel"`
	Systems       []OnImage `json:"systems,omitempty"` // of several, all
	Compression   string    `json:"compression"`
	Modes         []string  `json:"modes"`
	StorePaths    int       `json:"store_paths"`
	StoreBytes    int64     `json:"store_bytes"` // as Nix counts, NAR sizes
	SquashfsBytes int64     `json:"squashfs_bytes"`
	ReusedBytes   int64     `json:"reused_bytes"`

	Beside  []string `json:"beside,omitempty"` // files that go with it
	Checked bool     `json:"checked"`          // packed a second time, with the same bytes

	Parts     []image.Part `json:"parts,omitempty"`     // with --split; File is the first
	Checksums string       `json:"checksums,omitempty"` // file of those of the image and its parts

	Devices []Disk  `json:"devices,omitempty"` // with --write
	Seconds seconds `json:"seconds"`

	Boots []Boot `json:"boots,omitempty"` // with --test

	Since *Difference `json:"-"` // what differs from the image before; nil if there was none, or nobody asked

	Places []string `json:"-"` // where the image is, as the user called it
}

// OnImage is one of several systems of an image.
type OnImage struct {
	Configuration string `json:"configuration"`
	System        string `json:"system"`
	Toplevel      string `json:"toplevel"`
	Default       bool   `json:"default"` // it starts by itself
	Store         Share  `json:"store"`
}

// onImage are the systems, if there are several.
func onImage(p *image.Plan, shares []image.Share) (list []OnImage) {
	for i, share := range NewShares(shares) {
		sys := p.Systems()[i]
		list = append(list, OnImage{sys.Name, sys.Platform, sys.Root().Toplevel.Out, sys == p.System(), share})
	}
	return list
}

// Text is where the image is.
func (r *Image) Text(w io.Writer) error {
	for _, place := range r.Places {
		if _, err := fmt.Fprintln(w, place); err != nil {
			return err
		}
	}
	return nil
}

// SetPlace tells the result where the image is.
func (r *Image) SetPlace(out *image.Output) (err error) {
	parts, checksums := out.Parts()
	for _, part := range parts {
		r.Places = append(r.Places, part.Path)
		if part.Path, err = filepath.Abs(part.Path); err != nil {
			return err
		}
		r.Parts = append(r.Parts, part)
	}
	if len(parts) == 0 {
		r.Places = []string{out.Place()}
	} else {
		r.Places = append(r.Places, checksums)
		if r.Checksums, err = filepath.Abs(checksums); err != nil {
			return err
		}
	}
	r.File, err = filepath.Abs(out.Place())
	return err
}

type seconds struct {
	Evaluate float64 `json:"evaluate"`
	Build    float64 `json:"build"`
	Pack     float64 `json:"pack"`
	Total    float64 `json:"total"`
}

// NewImage describes an image.
func NewImage(p *image.Plan, packed build.Result, total time.Duration) *Image {
	return &Image{
		Size:          packed.FileSize,
		ImageBytes:    packed.Size,
		VolumeID:      p.System().VolumeID,
		System:        p.System().Platform,
		Toplevel:      p.System().Root().Toplevel.Out,
		Systems:       onImage(p, packed.Shares),
		Compression:   p.Store().Compression().String(),
		Modes:         ModeNames(p.Medium().Modes),
		StorePaths:    packed.StorePaths,
		StoreBytes:    packed.StoreBytes,
		SquashfsBytes: packed.Squashfs.Size,
		ReusedBytes:   packed.Squashfs.ReusedBytes,
		Seconds: seconds{
			Evaluate: packed.Times.Evaluate.Seconds(),
			Build:    packed.Times.Build.Seconds(),
			Pack:     packed.Times.Pack.Seconds(),
			Total:    total.Seconds(),
		},
	}
}
