// Package image decides what a live image will be and writes it.
//
// A [Plan] is complete before the first byte: volume ID, boot modes, menus,
// the tree of the medium, compression and identifiers follow from what the
// configuration says; only the size of the compressed store is learned on the
// way. [Plan.Pack] writes the image in one pass. An [Output] is the file that
// it goes to.
package image

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Registration is the name, in the root of the squashfs, of the list that the
// live system loads into its Nix database.
const Registration = "nix-path-registration"

// Plan says everything about an image but the size of the compressed store.
type Plan struct {
	System      *nixos.System
	Tree        *boot.Tree // what is on the medium beside the squashfs
	Modes       []Mode
	Compression codec.Settings
	Epoch       time.Time // every date on the medium outside the squashfs
	// Zstd says that the file is the image compressed as a whole, which no
	// machine boots.
	Zstd bool

	// Realise is what must be in the store before the image can be packed.
	Realise []nix.Target
}

// Mode is a way in which the image starts a machine.
type Mode string

// The modes, by firmware and by what the image is copied to.
const (
	BIOSCD  Mode = "bios-cd"
	BIOSUSB Mode = "bios-usb"
	UEFICD  Mode = "uefi-cd"
	UEFIUSB Mode = "uefi-usb"
)

// Options change what a configuration says.
type Options struct {
	// Compression of the squashfs, instead of the configuration's.
	Compression *codec.Settings
	// Epoch is every date on the medium outside the squashfs.
	Epoch time.Time
	// Disk gives the image a partition table whatever makeUsbBootable says:
	// it goes onto sticks.
	Disk bool
}

// DefaultEpoch is the date that nixpkgs gives to the files of an image:
// 1980-01-01, the oldest that every file system and archive can hold.
var DefaultEpoch = time.Unix(315532800, 0)

// EpochError says that SOURCE_DATE_EPOCH is not a time that a medium can have.
type EpochError struct{ Text string }

func (e *EpochError) Error() string {
	return fmt.Sprintf("SOURCE_DATE_EPOCH: %q is not a number of seconds since 1970 below 2^32", e.Text)
}

// EpochFromEnvironment returns the time that SOURCE_DATE_EPOCH names
// (reproducible-builds.org/specs/source-date-epoch), else DefaultEpoch. Its
// error is an *EpochError.
func EpochFromEnvironment() (time.Time, error) {
	text, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok || text == "" {
		return DefaultEpoch, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return time.Time{}, &EpochError{text}
	}
	return time.Unix(int64(seconds), 0), nil
}

// NewPlan decides what the image of a configuration will be.
func NewPlan(sys *nixos.System, opts Options) (*Plan, error) {
	p := &Plan{
		System:  sys,
		Modes:   modes(sys, opts.Disk || sys.MakeUSBBootable),
		Epoch:   opts.Epoch,
		Zstd:    sys.CompressImage,
		Realise: nix.Targets(sys.Realise),
	}
	for _, source := range sys.Sources { // which exist, and have to stay
		p.Realise = append(p.Realise, nix.Target{Path: source})
	}
	if p.Epoch.IsZero() {
		p.Epoch = DefaultEpoch
	}
	var err error
	if p.Compression, err = compression(sys, opts); err != nil {
		return nil, err
	}
	if p.Tree, err = boot.NewTree(sys); err != nil {
		return nil, err
	}
	return p, nil
}

// modes are the boot modes that the configuration asks for, from disks too if it
// is to be one. An image that
// starts by UEFI alone gets its partition table whatever makeUsbBootable says,
// which nixpkgs ignores there: without one, firmware need not boot it from a
// stick.
func modes(sys *nixos.System, disk bool) []Mode {
	var m []Mode
	if sys.MakeBIOSBootable {
		m = append(m, BIOSCD)
	}
	if sys.MakeBIOSBootable && disk {
		m = append(m, BIOSUSB)
	}
	if sys.MakeEFIBootable {
		m = append(m, UEFICD)
	}
	if sys.MakeEFIBootable && (disk || !sys.MakeBIOSBootable) {
		m = append(m, UEFIUSB)
	}
	return m
}

// hybrid says whether the image is a disk with partitions, too.
func (p *Plan) hybrid() bool {
	return slices.Contains(p.Modes, BIOSUSB) || slices.Contains(p.Modes, UEFIUSB)
}

// compression is what the options say, else what the configuration says.
func compression(sys *nixos.System, opts Options) (codec.Settings, error) {
	if opts.Compression != nil {
		return *opts.Compression, nil
	}
	if sys.SquashfsCompression == nil {
		return codec.Settings{Name: codec.None}, nil
	}
	s, err := codec.Parse(*sys.SquashfsCompression)
	if err != nil {
		return codec.Settings{}, fmt.Errorf("isoImage.squashfsCompression: %w", err)
	}
	return s, nil
}

// zstdExtension follows the name of an image that is compressed as a whole.
const zstdExtension = ".zst"

// FileName is the name that the configuration gives the image. Some releases
// leave it to the build to add the extension of a compressed one.
func (p *Plan) FileName() string {
	name := strings.TrimSuffix(p.System.ImageName, zstdExtension)
	if p.Zstd {
		name += zstdExtension
	}
	return name
}

// seed is what the image's identifiers are derived from: equal images have
// equal ones, different images different ones.
func (p *Plan) seed() (seed [16]byte) {
	h := sha256.New()
	write := func(fields ...string) {
		for _, f := range fields {
			fmt.Fprintf(h, "%d:%s,", len(f), f)
		}
	}
	write(p.System.VolumeID, p.Compression.String(), strconv.FormatInt(p.Epoch.Unix(), 10))
	write(p.System.StoreContents...)
	for _, g := range p.Tree.Grafts {
		write(g.Target, g.Source, string(g.Data))
	}
	for _, m := range p.Modes {
		write(string(m))
	}
	copy(seed[:], h.Sum(nil))
	return seed
}
