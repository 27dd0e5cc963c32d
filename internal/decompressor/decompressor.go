// Package decompressor knows which compressed stores the kernels of a medium read, by what they were
// built with, by their versions, and by the platforms that they are for.
package decompressor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/kernel"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// UnmountableError says that a kernel of the image cannot read its store.
type UnmountableError struct {
	Kernel      string // file
	Compression codec.Settings
	Missing     []string // options of the kernel, with CONFIG_; none if they are not known
	Version     string   // of the kernel, if it is older than a filter, else empty
	Readable    []string // compressions that it could read
}

func (e *UnmountableError) Error() string {
	why := "it was built without " + strings.Join(e.Missing, ", ")
	if e.Version != "" {
		why = fmt.Sprintf("it is of Linux %s, and Linux %d.%d was the first with the filter %s",
			e.Version, recentSince[0], recentSince[1], e.Compression.BCJ&recentFilters)
	}
	return fmt.Sprintf("%s cannot read a store compressed with %s: %s", e.Kernel, e.Compression, why)
}

// recentFilters are those that Linux' decoder (lib/xz/xz_dec_bcj.c) got last, and recentSince is the
// version with which it got them. The others are older than its squashfs.
const recentFilters = codec.ARM64 | codec.RISCV

var recentSince = [2]int{6, 12}

// older says whether a version, as uname(2) tells it, is older than the recent filters. One that is not
// understood is not.
func older(version string) bool {
	var v [2]int
	_, err := fmt.Sscanf(version, "%d.%d", &v[0], &v[1])
	return err == nil && slices.Compare(v[:], recentSince[:]) < 0
}

// Check compares a compression with the configurations of the kernels
// that the boot menus of some systems offer, as far as they can be read; store has their
// files. Of filters that not every kernel has, its version tells, too. The first that lacks something is reported as an *UnmountableError.
func Check(systems []*nixos.System, store *storefs.FS, compression codec.Settings) error {
	var checked []string
	var shown []nixos.Configuration
	for _, sys := range systems {
		shown = append(shown, sys.Shown()...)
	}
	for _, c := range shown {
		if slices.Contains(checked, c.Kernel) {
			continue
		}
		checked = append(checked, c.Kernel)
		if compression.BCJ&recentFilters != 0 {
			if version := kernel.ReadVersion(c.Kernel, store.Open); older(version) {
				without := compression
				without.BCJ &^= recentFilters
				return &UnmountableError{Kernel: c.Kernel, Compression: compression, Version: version, Readable: []string{without.String()}}
			}
		}
		config, err := kernel.ReadConfig(c.Kernel, store.Open)
		if err != nil {
			// Most distributions do not build it in: that is no reason to
			// worry people. A kernel that is not there is found out when the
			// boot files are copied.
			continue
		}
		if missing := missingOptions(config, compression); len(missing) > 0 {
			return &UnmountableError{Kernel: c.Kernel, Compression: compression, Missing: missing, Readable: readable(config)}
		}
	}
	return nil
}

// decompressors are the options of the kernel for each compression
// (fs/squashfs/Kconfig). An image that is not compressed carries the id of
// gzip, and Linux mounts none whose id it does not know.
var decompressors = map[string]string{
	codec.None: "SQUASHFS_ZLIB",
	codec.Gzip: "SQUASHFS_ZLIB",
	codec.LZ4:  "SQUASHFS_LZ4",
	codec.XZ:   "SQUASHFS_XZ",
	codec.Zstd: "SQUASHFS_ZSTD",
}

// missingOptions are the options that reading an image takes and a kernel
// lacks, with CONFIG_.
func missingOptions(config kernel.Config, s codec.Settings) []string {
	wanted := []string{"SQUASHFS", decompressors[s.Name]}
	if s.BCJ != 0 {
		for name := range strings.SplitSeq(s.BCJ.String(), ",") {
			wanted = append(wanted, "XZ_DEC_"+strings.ToUpper(name)) // lib/xz/Kconfig
		}
	}
	var missing []string
	for _, option := range wanted {
		if !config.Has(option) {
			missing = append(missing, "CONFIG_"+option)
		}
	}
	return missing
}

// readable are the compressions, without filters, that a kernel can read.
func readable(config kernel.Config) []string {
	var names []string
	for _, name := range []string{codec.Zstd, codec.XZ, codec.Gzip, codec.LZ4} {
		if len(missingOptions(config, codec.Settings{Name: name})) == 0 {
			names = append(names, name)
		}
	}
	return names
}
