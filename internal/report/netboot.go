package report

import (
	"fmt"
	"io"
	"time"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/image"
)

// NetbootFile is one of those that start a system without a medium.
type NetbootFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// NetbootFiles are what was written.
type NetbootFiles struct {
	Folder      string        `json:"folder,omitempty"` // absolute; empty of an archive
	File        string        `json:"file,omitempty"`   // the archive
	Files       []NetbootFile `json:"files"`
	CommandLine string        `json:"command_line"` // of the kernel, without initrd=

	Place string `json:"-"` // as the user called it
	Store string `json:"-"` // file with the store
}

// Netboot is a folder from which machines start over the network, or an archive for kexec.
type Netboot struct {
	NetbootFiles
	System        string   `json:"system"`
	Toplevel      string   `json:"toplevel"`
	Compression   string   `json:"compression"`
	Modes         []string `json:"modes"`
	StorePaths    int      `json:"store_paths"`
	StoreBytes    int64    `json:"store_bytes"` // as Nix counts, NAR sizes
	SquashfsBytes int64    `json:"squashfs_bytes"`
	ReusedBytes   int64    `json:"reused_bytes"`
	Checked       bool     `json:"checked"` // packed a second time, with the same bytes
	Seconds       seconds  `json:"seconds"`
}

// Text is where it is.
func (r *Netboot) Text(w io.Writer) error {
	_, err := fmt.Fprintln(w, r.Place)
	return err
}

// NewNetboot describes what was made of a plan.
func NewNetboot(p *image.Plan, packed build.Result, files NetbootFiles, checked bool, total time.Duration) *Netboot {
	made := NewImage(p, packed, total)
	return &Netboot{
		NetbootFiles: files, System: made.System, Toplevel: made.Toplevel, Compression: made.Compression, Modes: made.Modes,
		StorePaths: made.StorePaths, StoreBytes: made.StoreBytes, SquashfsBytes: made.SquashfsBytes, ReusedBytes: made.ReusedBytes,
		Checked: checked, Seconds: made.Seconds,
	}
}
