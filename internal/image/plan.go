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
	"github.com/livebuild/livebuild/internal/decompressor"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Plan says everything about an image but the size of the compressed store.
type Plan struct {
	systems []*nixos.System
	chosen  int // index of the one that starts by itself
	store   *Store
	medium  Medium
	initrd  *Initrd // nil of a medium
	realise []nix.Target
	leftOut *decompressor.LeftOut
}

// System is what the configuration says: of several the one that starts by itself, which the
// image is called after.
func (p *Plan) System() *nixos.System { return p.systems[p.chosen] }

// Systems is what all configurations say, in the order of the boot menu.
func (p *Plan) Systems() []*nixos.System { return slices.Clone(p.systems) }

// StoreContents are the roots of the store image.
func (p *Plan) StoreContents() []string {
	var roots []string
	for i, sys := range p.systems {
		for _, root := range sys.StoreContents {
			if i == 0 || !slices.Contains(roots, root) {
				roots = append(roots, root)
			}
		}
	}
	return roots
}

// Store is the part of the plan about the squashfs.
func (p *Plan) Store() *Store { return p.store }

// LeftOut is what a kernel is too old for of the compression that was asked for, or nil.
func (p *Plan) LeftOut() *decompressor.LeftOut { return p.leftOut }

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
	// Seal signs what is started and read where Secure Boot is on; nil for a medium that
	// does not start there.
	Seal *secureboot.Seal
	// SBAT is what GRUB says of itself to a shim; nil without one.
	SBAT secureboot.SBAT
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
	// StampParams has what is stamped reach the command lines of kernels, too.
	StampParams bool
	// Seal signs for Secure Boot, of a configuration that was evaluated for that.
	Seal *secureboot.Seal
	// Plain leaves the image as machines read it, even if the configuration
	// says that it is to be compressed as a whole.
	Plain bool
	// Default is the configuration that starts by itself, of several; empty for the first.
	Default string
	// Apart has the store of a system that starts without a medium in an archive of its
	// own, instead of behind stage 1.
	Apart bool
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

// NewPlan decides what the image of some configurations will be, which can be together on a
// medium as [nixos.EvaluateAll] says. That this program cannot compress it so, [Plan.Check] says.
func NewPlan(systems []*nixos.System, opts Options) (*Plan, error) {
	epoch := opts.Epoch
	if epoch.IsZero() {
		epoch = DefaultEpoch
	}
	asked, err := compression(systems, opts)
	if err != nil {
		return nil, err
	}
	compression, leftOut := decompressor.Resolve(systems, asked)
	if systems[0].Netboot {
		p, err := newInitrdPlan(systems[0], opts, NewStore(compression, epoch), epoch)
		if err == nil {
			p.leftOut = leftOut
		}
		return p, err
	}
	if systems, err = withStampArea(systems, opts.StampArea, opts.StampParams); err != nil {
		return nil, err
	}
	p := &Plan{systems: systems, store: NewStore(compression, epoch), realise: nix.Targets(realise(systems)), leftOut: leftOut}
	if p.chosen, err = chosen(systems, opts.Default); err != nil {
		return nil, err
	}
	tree, err := boot.NewTree(p.chosen, systems...)
	if err != nil {
		return nil, err
	}
	zstd := false
	if !opts.Plain {
		if zstd, err = compressImage(systems); err != nil {
			return nil, err
		}
	}
	p.medium = Medium{
		VolumeID: p.System().VolumeID,
		Tree:     tree,
		Modes:    modes(systems, opts.Disk),
		Epoch:    epoch,
		Zstd:     zstd,
	}
	if err := p.medium.seal(opts.Seal, systems); err != nil {
		return nil, err
	}
	p.medium.Seed = p.seed()
	for i, sys := range systems {
		for _, source := range sys.Sources { // which exist, and have to stay
			if i == 0 || !slices.ContainsFunc(p.realise, func(t nix.Target) bool { return t.Path == source }) {
				p.realise = append(p.realise, nix.Target{Path: source})
			}
		}
	}
	return p, nil
}

// seal takes what signs, for the machines that the systems start on by UEFI.
func (m *Medium) seal(seal *secureboot.Seal, systems []*nixos.System) (err error) {
	if seal == nil {
		return nil
	}
	var archs []string
	for _, sys := range systems {
		if sys.MakeEFIBootable {
			archs = append(archs, sys.EFIArch)
		}
	}
	if m.Seal, err = seal.For(archs...); err != nil {
		return err
	}
	for _, sys := range systems {
		if sys.MakeEFIBootable {
			if m.SBAT, err = m.Seal.SBAT(sys.GRUB.Version); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check finds out before the build whether this program can pack the image: it
// may have been built without one of the codecs.
func (p *Plan) Check() error { return p.store.Check() }

// modes are the boot modes that the configurations ask for, from disks too if it
// is to be one, or if one of them asks for it. An image that
// starts by UEFI alone gets its partition table whatever makeUsbBootable says,
// which nixpkgs ignores there: without one, firmware need not boot it from a
// stick.
func modes(systems []*nixos.System, disk bool) []medium.Mode {
	bios, efi := false, false
	for _, sys := range systems {
		bios, efi, disk = bios || sys.MakeBIOSBootable, efi || sys.MakeEFIBootable, disk || sys.MakeUSBBootable
	}
	var m []medium.Mode
	if bios {
		m = append(m, medium.BIOSCD)
	}
	if bios && disk {
		m = append(m, medium.BIOSUSB)
	}
	if efi {
		m = append(m, medium.UEFICD)
	}
	if efi && (disk || !bios) {
		m = append(m, medium.UEFIUSB)
	}
	return m
}

// hybrid says whether the image is a disk with partitions, too.
func (m Medium) hybrid() bool {
	return slices.Contains(m.Modes, medium.BIOSUSB) || slices.Contains(m.Modes, medium.UEFIUSB)
}

// zstdExtension follows the name of an image that is compressed as a whole.
const zstdExtension = ".zst"

// FileName is the name that the configuration gives the image. Some releases
// leave it to the build to add the extension of a compressed one.
func (p *Plan) FileName() string {
	name := strings.TrimSuffix(p.System().ImageName, zstdExtension)
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
	write(p.StoreContents()...)
	for _, g := range p.medium.Tree.Grafts {
		write(g.Target, g.Source, string(g.Data))
	}
	for _, m := range p.medium.Modes {
		write(string(m))
	}
	// Not the key that signs files: one that is made for this image alone is another each time.
	if p.medium.Seal != nil {
		write(string(p.medium.Seal.Certificate().Raw))
	}
	copy(seed[:], h.Sum(nil))
	return seed
}
