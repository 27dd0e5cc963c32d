package verify

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/stamp"
	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// bootStore is where the volume of a NixOS medium has files of store paths for its boot loaders:
// kernels, initrds, device trees (nixos/modules/installer/cd-dvd/iso-image.nix).
const bootStore = "boot/nix/store/"

// files checks the files of the volume: by the list of sums, by the store paths that they are copies
// of, and by the EFI system partition. All others it only reads.
func (v *verifier) files() error {
	files := v.regular()
	equal, err := v.espFiles(files)
	if err != nil {
		return err
	}
	listed, err := v.sums(files)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e := files[name]
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if name == medium.StoreImage || v.isEFIImage(e) || e.Size == 0 {
			continue
		}
		if name == medium.StampArea {
			if err := v.stamped(e); err != nil {
				return err
			}
			continue
		}
		proved := equal[name] || listed[name] || v.sealed[name]
		if inStore, ok := strings.CutPrefix(name, bootStore); ok {
			of, err := v.copyOf(e, inStore)
			if err != nil {
				return err
			}
			proved = proved || of
		}
		if proved {
			v.report.Files++
			continue
		}
		v.report.Unproved = append(v.report.Unproved, name)
		v.report.UnprovedBytes += e.Size
		if err := v.readable(e); err != nil {
			return err
		}
	}
	return nil
}

// stamped checks what was stamped onto the image: nothing, or what carries its own sum.
func (v *verifier) stamped(e entry) error {
	area, err := stamp.Find(v.medium, "the image")
	var s *stamp.Stamp
	if err == nil {
		s, err = area.Read()
	}
	if err != nil {
		return v.find(Finding{Structure: "stamp", Offset: medium.TreeFile{Extents: treeExtents(e)}.At(0), File: e.Path, Err: err})
	}
	v.report.Stamp = s
	v.report.Files++
	return nil
}

// copyOf compares a file of the volume with that of a store path, if the store has it.
func (v *verifier) copyOf(e entry, inStore string) (proved bool, err error) {
	if v.images == nil {
		return false, nil
	}
	ino, err := v.images.Lookup(inStore)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !ino.Mode.IsRegular() {
		return false, nil
	}
	base, rest, _ := strings.Cut(inStore, "/")
	report := func(at int64, err error) error {
		return v.find(Finding{Structure: "file", Offset: at, File: e.Path, Err: err})
	}
	if err != nil {
		return false, report(e.Record, err)
	}
	f, err := v.images.OpenFile(ino)
	if err != nil {
		return true, nil // found when the store path is checked
	}
	at, err := firstDifference(v.contents(e), io.NewSectionReader(f, 0, f.Size()))
	switch {
	case err != nil:
		// Of the volume, unless the store's is the damaged one.
		return true, v.readable(e)
	case at >= 0 && v.signedCopy(e, io.NewSectionReader(f, 0, f.Size()), f.Size()):
	case at >= 0:
		offset := medium.TreeFile{Extents: treeExtents(e)}.At(at)
		return true, report(offset, errorf("it differs from %s in %s", rest, v.images.path(base)))
	}
	return true, nil
}

func treeExtents(e entry) (list []medium.Extent) {
	for _, x := range e.Extents {
		list = append(list, medium.Extent{Offset: x.Offset, Size: x.Size})
	}
	return list
}

// squashfsMagic begins an image (squashfs_fs.h).
const squashfsMagic = "hsqs"

// readable reads a file. What is found on the way is a finding; of a squashfs all that is wrong
// with it.
func (v *verifier) readable(e entry) error {
	head := make([]byte, len(squashfsMagic))
	if len(e.Extents) == 1 && e.Size > int64(len(head)) {
		section := io.NewSectionReader(v.medium.ReaderAt(), e.Extents[0].Offset, e.Size)
		if _, err := section.ReadAt(head, 0); err == nil && string(head) == squashfsMagic {
			r, err := squashfs.Open(section, e.Size)
			if err != nil {
				return v.find(Finding{Structure: "squashfs superblock", Offset: e.Extents[0].Offset, File: e.Path, Err: err})
			}
			return r.Findings(v.ctx, func(f squashfs.Finding) error {
				return v.find(Finding{Structure: "squashfs " + f.Structure, Offset: placed(e.Extents[0].Offset, f.Offset), File: path.Join(e.Path, f.Path), Err: f.Err})
			})
		}
	}
	n, err := io.Copy(io.Discard, progress.NewReader(v.ctx, v.contents(e), nil))
	if err == nil && n < e.Size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil || v.ended(err) {
		return v.ctx.Err()
	}
	at := medium.TreeFile{Extents: treeExtents(e)}.At(n)
	return v.find(Finding{Structure: "file", Offset: at, File: e.Path, Err: err})
}

// squashfs checks an image that is a squashfs alone, and no store whose paths were checked.
func (v *verifier) squashfs() error {
	if v.images != nil {
		return nil
	}
	r, err := squashfs.Open(io.NewSectionReader(v.medium.ReaderAt(), 0, v.medium.Size), v.medium.Size)
	if err != nil {
		return v.wrong("squashfs superblock", 0, "", "%w", err)
	}
	return r.Findings(v.ctx, func(f squashfs.Finding) error {
		return v.find(Finding{Structure: "squashfs " + f.Structure, Offset: f.Offset, File: f.Path, Err: f.Err})
	})
}

// placed is the place on the medium of one in an image that begins at start, or -1.
func placed(start, offset int64) int64 {
	if offset < 0 {
		return -1
	}
	return start + offset
}

// padding checks, of an image that livebuild made, that what no file has is zero.
func (v *verifier) padding() error {
	if !v.medium.MadeHere() {
		return nil
	}
	for _, e := range v.entries {
		for _, x := range e.Extents {
			switch {
			case e.Path == medium.StoreImage && v.images != nil && len(v.images.recorded) > 0:
				for _, r := range v.images.recorded {
					v.used = append(v.used, extent{x.Offset + r.Offset, x.Offset + r.Offset + r.Size})
				}
			case v.isEFIImage(e):
				if err := v.espExtents(x.Offset, x.Size); err != nil {
					return err
				}
			default:
				v.used = append(v.used, extent{x.Offset, x.Offset + x.Size})
			}
		}
	}
	const backupGPT = 33 * 512 // bytes (UEFI 2.10 §5.3.1: 32 sectors of entries, and the header)
	end := min(v.size, v.medium.Size)
	v.used = append(v.used, extent{end - backupGPT, end})
	slices.SortFunc(v.used, func(a, b extent) int { return int(min(max(a.start-b.start, -1), 1)) })
	at := v.used[0].end // in front of it are directories
	for _, u := range v.used {
		if u.start > at {
			if err := v.zeros(at, u.start); err != nil {
				return err
			}
		}
		at = max(at, u.end)
	}
	return nil
}

// espExtents notes what the files and directories of an EFI system partition take.
func (v *verifier) espExtents(offset, size int64) error {
	whole := extent{offset, offset + size}
	r, err := fat.Open(io.NewSectionReader(v.medium.ReaderAt(), offset, size), size)
	if err != nil {
		v.used = append(v.used, whole) // a finding already
		return nil
	}
	var files []namedFAT
	if err := listNamed(r, ".", 0, &files); err != nil {
		v.used = append(v.used, whole)
		return nil
	}
	// Clusters are counted from 2 (page 16 of the specification), from a place that a file tells.
	const firstCluster = 2
	cluster := int64(r.Info().ClusterSize)
	data := size
	for _, e := range files {
		if extents, err := r.Extents(e.Entry); err == nil && !e.IsDir() && len(extents) > 0 {
			data = extents[0].Offset - (int64(e.Cluster)-firstCluster)*cluster
		}
	}
	v.used = append(v.used, extent{offset, offset + data}) // tables and the root directory
	for _, e := range files {
		if e.Offset >= data { // in a cluster of its directory, which may have several
			at := offset + data + (e.Offset-data)/cluster*cluster
			v.used = append(v.used, extent{at, at + cluster})
		}
		if e.IsDir() {
			at := offset + data + (int64(e.Cluster)-firstCluster)*cluster
			v.used = append(v.used, extent{at, at + cluster})
			continue
		}
		extents, err := r.Extents(e.Entry)
		if err != nil {
			v.used = append(v.used, whole)
			return nil
		}
		for _, x := range extents {
			v.used = append(v.used, extent{offset + x.Offset, offset + x.Offset + x.Size})
		}
	}
	return nil
}

// namedFAT is a file or folder of a FAT file system with its path.
type namedFAT struct {
	fat.Entry
	path string
}

// listNamed appends all that is below a directory.
func listNamed(r *fat.Reader, name string, depth int, list *[]namedFAT) error {
	dir, err := r.Lookup(name)
	if err != nil || depth > maxFATDepth {
		return err
	}
	entries, err := r.Entries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		*list = append(*list, namedFAT{e, path.Join(name, e.Name)})
		if e.IsDir() {
			if err := listNamed(r, path.Join(name, e.Name), depth+1, list); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxFATDepth is deeper than livebuild puts a file there.
const maxFATDepth = 16

// zeros checks that there is nothing from start to end.
func (v *verifier) zeros(start, end int64) error {
	const size = 256 << 10
	zero, p := make([]byte, size), make([]byte, size)
	for at := start; at < end; at += size {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		piece := p[:min(size, end-at)]
		if n, err := v.medium.ReaderAt().ReadAt(piece, at); n < len(piece) {
			if at+int64(n) >= v.medium.Size {
				return nil // cut off, which is a finding already
			}
			return v.wrong("padding", at, "", "%w", err)
		}
		if bytes.Equal(piece, zero[:len(piece)]) {
			continue
		}
		i := slices.IndexFunc(piece, func(b byte) bool { return b != 0 })
		return v.wrong("padding", at+int64(i), "", "a byte is %#02x between files, where livebuild writes zeros", piece[i])
	}
	return nil
}
