package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/stamp"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// bundle checks the files of a folder for network boots, or of an archive for kexec: by the list of sums beside them,
// and by the store paths that they are copies of. All others it only reads.
func (v *verifier) bundle() error {
	for _, m := range v.medium.Members() {
		e := entry{Path: m.Path, Mode: m.Mode, Size: m.Size, Record: -1}
		for _, x := range m.Extents {
			e.Extents = append(e.Extents, hybridiso.Extent(x))
		}
		v.entries = append(v.entries, e)
	}
	files := v.regular()
	listed, err := v.listedSums(files)
	if err != nil {
		return err
	}
	paper, err := v.medium.Manifest()
	if err != nil {
		paper = &manifest.Manifest{Boot: &manifest.Boot{}} // which is a finding already
	}
	for _, name := range append([]string{paper.Boot.Kernel}, paper.Boot.Initrds...) {
		if at := v.medium.Beside(name); name != "" && files[at].Path == "" {
			if err := v.wrong("file", -1, at, "the manifest names it, and it is not there"); err != nil {
				return err
			}
		}
	}
	store, _ := v.medium.StoreSection() // whose error is a finding already
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e := files[name]
		if e.Size == 0 {
			continue
		}
		proved := listed[name]
		var of bool
		switch name {
		case v.medium.Beside(netboot.Stamp):
			of, err = v.stampedFile(e)
		case v.medium.Beside(netboot.Script), v.medium.Beside(kexec.Run):
			of, err = v.script(e, paper)
		case v.medium.Beside(paper.Boot.Kernel):
			of, err = v.copyOf(e, inStore(paper.Kernel))
		default:
			if !slices.ContainsFunc(paper.Boot.Initrds, func(initrd string) bool { return v.medium.Beside(initrd) == name }) {
				break
			}
			if of, err = v.stage1(e, store, inStore(paper.Initrd)); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if proved || of {
			v.report.Files++
			continue
		}
		v.report.Unproved = append(v.report.Unproved, name)
		v.report.UnprovedBytes += e.Size
		if err := v.readable(e); err != nil {
			return err
		}
	}
	return v.between()
}

// inStore is the path of a file in the store image.
func inStore(file string) string { return strings.TrimPrefix(file, "/nix/store/") }

// script holds the script that starts the system against what follows from the manifest, as far as that says enough.
func (v *verifier) script(e entry, paper *manifest.Manifest) (proved bool, err error) {
	if !paper.Boot.Stamps || e.Size > maxList {
		return false, nil
	}
	text, err := io.ReadAll(v.contents(e))
	if err != nil {
		return false, v.readable(e) // says where
	}
	if v.medium.Form == medium.Archive {
		size := int64(0)
		if f, err := v.medium.Files().Find(v.medium.Beside(kexec.Initrd)); err == nil {
			size = f.Size
		}
		for _, line := range kexec.Facts(paper.Boot.Title, paper.Platform, paper.Boot.CommandLine, size) {
			if !bytes.Contains(text, []byte("\n"+line+"\n")) {
				return false, v.wrong("script", v.at(e), e.Path, "it has no line %q, which follows from the manifest and the initrd", line)
			}
		}
		return false, nil // all else is a program
	}
	var further []string
	if _, err := v.medium.Files().Find(netboot.Stamp); err == nil {
		further = []string{netboot.Stamp}
	}
	want, err := netboot.BootOf(paper.Boot, further...).Text()
	if err == nil && want != string(text) {
		err = errorf("it is another one than follows from the manifest")
	}
	if err != nil {
		return false, v.wrong("script", v.at(e), e.Path, "%w", err)
	}
	return true, nil
}

// stampedFile checks what was stamped.
func (v *verifier) stampedFile(e entry) (proved bool, err error) {
	if e.Size > stamp.MaxArea {
		return false, v.wrong("stamp", v.at(e), e.Path, "it has more than %d bytes", int64(stamp.MaxArea))
	}
	data, err := io.ReadAll(v.contents(e))
	var s *stamp.Stamp
	if err == nil {
		s, err = stamp.Decode(data)
	}
	if err != nil {
		return false, v.wrong("stamp", v.at(e), e.Path, "%w", err)
	}
	v.report.Stamp = s
	return s != nil, nil
}

// at is where a file begins.
func (v *verifier) at(e entry) int64 { return medium.TreeFile{Extents: treeExtents(e)}.At(0) }

// stage1 compares what is before the store in an initrd, or all of it, with the initrd of the system, if that is in the
// store. What of an initrd is neither has no other content than zeros and headers.
func (v *verifier) stage1(e entry, store *io.SectionReader, of string) (proved bool, err error) {
	start, end := v.at(e), v.at(e)+e.Size
	if store != nil {
		if _, at, size := store.Outer(); at >= start && at+size <= end {
			end = at
		}
	}
	if v.images == nil || of == "" {
		return false, nil
	}
	ino, err := v.images.Lookup(of)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !ino.Mode.IsRegular() {
		return false, nil
	}
	if err != nil {
		return false, v.wrong("file", start, e.Path, "%w", err)
	}
	if ino.Size > end-start {
		// An archive with the store alone, behind another one.
		return end < start+e.Size && end-start <= 4096, nil
	}
	f, err := v.images.OpenFile(ino)
	if err != nil {
		return true, nil // found when the store path is checked
	}
	at, err := firstDifference(io.NewSectionReader(v.medium.ReaderAt(), start, ino.Size), io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return true, v.readable(e) // of the initrd, unless the store's is the damaged one
	}
	if at >= 0 {
		base, rest, _ := strings.Cut(of, "/")
		return true, v.find(Finding{Structure: "file", Offset: start + at, File: e.Path, Err: errorf("it differs from %s in %s", rest, v.images.path(base))})
	}
	// Behind that are zeros, and the header of the archive with the store.
	rest := make([]byte, min(end-start-ino.Size, 1<<20))
	if _, err := v.medium.ReaderAt().ReadAt(rest, start+ino.Size); err != nil && err != io.EOF {
		return true, v.wrong("file", start+ino.Size, e.Path, "%w", err)
	}
	if i := bytes.IndexFunc(rest, func(r rune) bool { return r != 0 }); i >= 0 && !bytes.HasPrefix(rest[i:], []byte(newc)) {
		return true, v.wrong("file", start+ino.Size+int64(i), e.Path, "behind stage 1 there is something else than an archive")
	}
	return true, nil
}

// newc begins an archive of cpio (Documentation/driver-api/early-userspace/buffer-format.rst).
const newc = "070701"

// between checks that there is nothing between the files of an archive but their headers, which have sums
// of their own.
func (v *verifier) between() error {
	if v.medium.Form != medium.Archive {
		return nil
	}
	const block = 512 // of a tar (pax(1), ustar)
	for _, e := range v.entries {
		end := v.at(e) + e.Size
		if err := v.zeros(end, min((end+block-1)/block*block, v.medium.Size)); err != nil {
			return err
		}
	}
	return nil
}

// maxLines is more files than any folder has.
const maxLines = 1024

// listedSums holds the files against the list of SHA-256 beside them, as sha256sum reads it, and returns the paths of those
// that are as listed.
func (v *verifier) listedSums(files map[string]entry) (proved map[string]bool, err error) {
	proved = map[string]bool{}
	list, ok := files[v.medium.Beside(netboot.Sums)]
	if !ok {
		if v.medium.Form == medium.Folder {
			return proved, v.wrong("list of sums", -1, netboot.Sums, "it is not there")
		}
		return proved, nil
	}
	wrong := func(file, format string, args ...any) error {
		return v.wrong("list of sums", v.at(list), file, format, args...)
	}
	text, err := io.ReadAll(io.LimitReader(v.contents(list), maxList+1))
	if err != nil {
		return proved, v.readable(list) // says where
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) > maxLines {
		return proved, wrong(list.Path, "it has %d lines, more than any", len(lines))
	}
	good, named := true, map[string]bool{v.medium.ManifestName(): true, list.Path: true}
	for _, line := range lines {
		sum, name, ok := strings.Cut(line, "  ")
		want, decodeErr := hex.DecodeString(sum)
		name = v.medium.Beside(name)
		e := files[name]
		switch {
		case !ok || decodeErr != nil || len(want) != sha256.Size || named[name]:
			err = wrong(list.Path, "the line %.80q is none of a file's", line)
		case e.Path == "":
			named[name] = true
			err = wrong(name, "the file is not there")
		default:
			named[name] = true
			var same bool
			if same, err = v.hasSum(e, want); same {
				proved[name] = true
				continue
			}
			if err == nil {
				err = wrong(name, "the file has another SHA-256 than the list says")
			}
		}
		if good = false; err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !named[name] && !v.holdsStore(name) {
			good = false
			if err := wrong(name, "the list does not have the file"); err != nil {
				return nil, err
			}
		}
	}
	proved[list.Path] = good
	return proved, nil
}

// holdsStore tells the file of an archive that is proved without a sum: the initrd, by stage 1 and store paths.
func (v *verifier) holdsStore(name string) bool {
	return v.medium.Form == medium.Archive && path.Base(name) == netboot.Initrd
}

// hasSum reports whether a file has a SHA-256. The error is one of the context.
func (v *verifier) hasSum(e entry, want []byte) (bool, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{progress.NewReader(v.ctx, v.contents(e), nil)}, make([]byte, chunkSize))
	if v.ctx.Err() != nil {
		return false, v.ctx.Err()
	}
	return err == nil && n == e.Size && bytes.Equal(h.Sum(nil), want), nil
}
