// Package image decides what a live image will be and writes it.
//
// A [Plan] is complete before the first byte: volume ID, boot modes, menus,
// the tree of the medium, compression and identifiers follow from what the
// configuration says; only the size of the compressed store is learned on the
// way. It has two parts: the [Store], which is the squashfs with the Nix store,
// and the [Medium] around it. [Plan.Prepare] looks at all that will be packed, and
// [Packing.Write] writes the image in one pass. An [Output] is the file that it
// goes to.
package image

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Plan says everything about an image but the size of the compressed store.
type Plan struct {
	system  *nixos.System
	store   *Store
	medium  Medium
	realise []nix.Target
}

// System is what the configuration says.
func (p *Plan) System() *nixos.System { return p.system }

// Store is the part of the plan about the squashfs.
func (p *Plan) Store() *Store { return p.store }

// Medium is the part of the plan about what is around it.
func (p *Plan) Medium() Medium { return p.medium }

// Realise is what must be in the store before the image can be packed.
func (p *Plan) Realise() []nix.Target { return slices.Clone(p.realise) }

// Medium says what is on a medium beside the squashfs, and how it starts a machine.
type Medium struct {
	VolumeID string
	Tree     *boot.Tree
	Modes    []medium.Mode
	Epoch    time.Time // every date on the medium outside the squashfs
	// Zstd says that the file is the image compressed as a whole, which no
	// machine boots.
	Zstd bool
	// Seed is what the image's identifiers are derived from: equal images have
	// equal ones, different images different ones.
	Seed [16]byte
}

// Options change what a configuration says.
type Options struct {
	// Compression of the squashfs, instead of the configuration's.
	Compression *codec.Settings
	// Epoch is every date on the medium outside the squashfs; zero is
	// DefaultEpoch.
	Epoch time.Time
	// Disk gives the image a partition table whatever makeUsbBootable says:
	// it goes onto sticks.
	Disk bool
	// StampArea is how many bytes the image has for what is stamped onto it later;
	// nil for DefaultStampArea.
	StampArea *int64
	// Plain leaves the image as machines read it, even if the configuration
	// says that it is to be compressed as a whole.
	Plain bool
}

// DefaultEpoch is the date that nixpkgs gives to the files of an image:
// 1980-01-01, the oldest that every file system and archive can hold.
var DefaultEpoch = time.Unix(315532800, 0)

// EpochError says that SOURCE_DATE_EPOCH is not a time that a medium can have.
type EpochError struct{ Text string }

func (e *EpochError) Error() string {
	return fmt.Sprintf("SOURCE_DATE_EPOCH: %q is not a number of seconds since 1970 below 2^32", e.Text)
}

// ParseEpoch returns the time that a text in the form of SOURCE_DATE_EPOCH means
// (reproducible-builds.org/specs/source-date-epoch), DefaultEpoch if it is empty. Its
// error is an [*EpochError].
func ParseEpoch(text string) (time.Time, error) {
	if text == "" {
		return DefaultEpoch, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return time.Time{}, &EpochError{text}
	}
	return time.Unix(int64(seconds), 0), nil
}

// NewPlan decides what the image of a configuration will be. That this program
// cannot compress it so, [Plan.Check] says.
func NewPlan(sys *nixos.System, opts Options) (*Plan, error) {
	epoch := opts.Epoch
	if epoch.IsZero() {
		epoch = DefaultEpoch
	}
	compression, err := compression(sys, opts)
	if err != nil {
		return nil, err
	}
	if sys, err = withStampArea(sys, opts.StampArea); err != nil {
		return nil, err
	}
	tree, err := boot.NewTree(sys)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		system: sys,
		store:  NewStore(compression, epoch),
		medium: Medium{
			VolumeID: sys.VolumeID,
			Tree:     tree,
			Modes:    modes(sys, opts.Disk || sys.MakeUSBBootable),
			Epoch:    epoch,
			Zstd:     sys.CompressImage && !opts.Plain,
		},
		realise: nix.Targets(sys.Realise),
	}
	p.medium.Seed = p.seed()
	for _, source := range sys.Sources { // which exist, and have to stay
		p.realise = append(p.realise, nix.Target{Path: source})
	}
	return p, nil
}

// DefaultStampArea is the room that an image has for what is stamped onto it later, in
// bytes, if its stage 1 takes that as it is.
const DefaultStampArea = 256 << 10

// StampError says that a stamp would have no effect on an image.
type StampError struct{ Name string } // of the configuration

func (e *StampError) Error() string {
	return e.Name + " has a stage 1 of systemd and cannot be extended: nothing in it would take what is stamped onto the image"
}

// withStampArea decides whether the medium has an area for a stamp. By default it costs no
// configuration its system: a stage 1 of systemd would need a unit more.
func withStampArea(sys *nixos.System, asked *int64) (*nixos.System, error) {
	with := *sys
	switch {
	case asked != nil && *asked > 0 && sys.SystemdInitrd && !sys.StampUnit:
		return nil, &StampError{sys.Name}
	case asked != nil:
		with.StampArea = *asked
	case !sys.SystemdInitrd:
		with.StampArea = DefaultStampArea
	}
	return &with, nil
}

// Check finds out before the build whether this program can pack the image: it
// may have been built without one of the codecs.
func (p *Plan) Check() error { return p.store.Check() }

// modes are the boot modes that the configuration asks for, from disks too if it
// is to be one. An image that
// starts by UEFI alone gets its partition table whatever makeUsbBootable says,
// which nixpkgs ignores there: without one, firmware need not boot it from a
// stick.
func modes(sys *nixos.System, disk bool) []medium.Mode {
	var m []medium.Mode
	if sys.MakeBIOSBootable {
		m = append(m, medium.BIOSCD)
	}
	if sys.MakeBIOSBootable && disk {
		m = append(m, medium.BIOSUSB)
	}
	if sys.MakeEFIBootable {
		m = append(m, medium.UEFICD)
	}
	if sys.MakeEFIBootable && (disk || !sys.MakeBIOSBootable) {
		m = append(m, medium.UEFIUSB)
	}
	return m
}

// hybrid says whether the image is a disk with partitions, too.
func (m Medium) hybrid() bool {
	return slices.Contains(m.Modes, medium.BIOSUSB) || slices.Contains(m.Modes, medium.UEFIUSB)
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
	name := strings.TrimSuffix(p.system.ImageName, zstdExtension)
	if p.medium.Zstd {
		name += zstdExtension
	}
	return name
}

// seed is a digest of what tells one image from another.
func (p *Plan) seed() (seed [16]byte) {
	h := sha256.New()
	write := func(fields ...string) {
		for _, f := range fields {
			fmt.Fprintf(h, "%d:%s,", len(f), f)
		}
	}
	write(p.medium.VolumeID, p.store.compression.String(), strconv.FormatInt(p.medium.Epoch.Unix(), 10))
	write(p.system.StoreContents...)
	for _, g := range p.medium.Tree.Grafts {
		write(g.Target, g.Source, string(g.Data))
	}
	for _, m := range p.medium.Modes {
		write(string(m))
	}
	copy(seed[:], h.Sum(nil))
	return seed
}
