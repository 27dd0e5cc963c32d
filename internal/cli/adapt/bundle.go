package adapt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/stamp"
)

// OwnArchive is an archive for kexec that may be replaced.
var OwnArchive = image.Own{Kind: "an archive for kexec that livebuild made", Is: kexec.Ours}

// UnstampableError says that a folder for network boots, or an archive for kexec, cannot be stamped.
type UnstampableError struct{ Name, Reason string }

func (e *UnstampableError) Error() string { return e.Name + " cannot be stamped: " + e.Reason }

// stampBundle stamps a folder for network boots, or an archive for kexec: by a further initrd.
func (v verbs) stampBundle(ctx context.Context, m *medium.File, path string, items stamp.Items, opts options) error {
	if opts.show {
		s, err := bundleStamp(m.Medium)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return v.Print(report.NewStamp(path, s), opts.json)
	}
	if opts.key != "" {
		return face.Usage(errors.New("--signing-key is about images: what starts without a medium is not signed"))
	}
	paper, err := m.Manifest()
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case !paper.Boot.Stamps && paper.Boot.Title == "":
		return &UnstampableError{path, "it was made by an older livebuild"}
	case !paper.Boot.Stamps:
		return &UnstampableError{path, "its stage 1 takes nothing from a further initrd"}
	case len(items.KernelParams) > 0 && m.Form == medium.Archive:
		return face.Usage(errors.New("--kernel-param is for the menus of a medium; 'kexec/run --kernel-params' adds words when it starts"))
	case len(items.KernelParams) > 0:
		return face.Usage(errors.New("--kernel-param is for the menus of a medium; a script for iPXE that sets cmdline adds words"))
	}
	var stamped []byte
	if !opts.reset {
		if err := stamp.CheckSystem(m.Medium, items); err != nil {
			return err
		}
		if err := checkCatalog(m.Medium, path, items.Install); err != nil {
			return err
		}
		if stamped, err = stamp.Archive(items, v.Tool); err != nil {
			return err
		}
		if len(stamped) > stamp.MaxArea {
			return &stamp.TooLargeError{Size: int64(len(stamped)), Room: stamp.MaxArea}
		}
	}
	place := path
	if m.Form == medium.Archive {
		place, err = v.stampArchive(ctx, m, path, paper, stamped, items.Secret(), opts)
	} else {
		if items.Secret() {
			v.Console.Warn("whoever can fetch the files can read what is stamped, what is secret in it, too")
		}
		place, err = v.stampFolder(ctx, m, path, paper, stamped, opts)
	}
	if err != nil {
		return err
	}
	var s *stamp.Stamp
	if stamped != nil {
		if s, err = stamp.Decode(stamped); err != nil {
			return err
		}
	}
	return v.Print(report.NewStamp(place, s), opts.json)
}

// bundleStamp is what is stamped, or nil.
func bundleStamp(m *medium.Medium) (*stamp.Stamp, error) {
	f, err := m.Files().Find(m.Beside(netboot.Stamp))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case f.Size > stamp.MaxArea:
		return nil, &stamp.UnknownError{Reason: fmt.Sprintf("it has %d bytes, more than any", f.Size)}
	}
	data, err := io.ReadAll(m.Files().Open(f))
	if err != nil {
		return nil, err
	}
	return stamp.Decode(data)
}

// stampFolder writes the files of a folder that a stamp, nil for none, changes, or all of them into another one.
func (v verbs) stampFolder(ctx context.Context, m *medium.File, path string, paper *manifest.Manifest, stamped []byte, opts options) (place string, err error) {
	place = path
	if info, err := os.Stat(path); err != nil {
		return "", err
	} else if !info.IsDir() { // the manifest in it
		place = filepath.Dir(path)
	}
	boot := netboot.BootOf(paper.Boot)
	var names []string
	if opts.output != "" {
		place = opts.output
		names = append([]string{boot.Kernel}, boot.Initrds...)
	}
	if stamped != nil {
		boot = netboot.BootOf(paper.Boot, netboot.Stamp)
		names = append(names, netboot.Stamp)
	}
	script, err := boot.Text()
	if err != nil {
		return "", err
	}
	own := func(name string) ([]byte, error) {
		f, err := m.Files().Find(name)
		if err != nil {
			return nil, &netboot.FolderError{Path: path, Reason: "has no " + name}
		}
		return io.ReadAll(io.LimitReader(m.Files().Open(f), manifest.MaxSize))
	}
	list, err := own(netboot.Sums)
	if err != nil {
		return "", err
	}
	anew := map[string][32]byte{netboot.Script: sha256.Sum256([]byte(script))}
	if stamped != nil {
		anew[netboot.Stamp] = sha256.Sum256(stamped)
	}
	if list, err = netboot.Resum(list, boot, anew); err != nil {
		return "", err
	}
	text, err := own(netboot.Manifest)
	if err != nil {
		return "", err
	}
	contents := map[string][]byte{netboot.Stamp: stamped, netboot.Script: []byte(script), netboot.Sums: list, netboot.Manifest: text}
	names = append(names, netboot.Script, netboot.Sums, netboot.Manifest)
	folder, err := image.CreateFolder(place, names, opts.force, netboot.Ours)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, folder.Abort()) }()
	for _, name := range names {
		out, err := folder.Create(name)
		if err != nil {
			return "", err
		}
		if data, ok := contents[name]; ok {
			_, err = out.WriteAt(data, 0)
		} else {
			err = v.copyFile(ctx, out, m, name)
		}
		if err == nil {
			_, err = out.Sync(ctx)
		}
		if err != nil {
			return "", err
		}
	}
	// Nothing starts from what is half there.
	stale := []string{netboot.Script}
	for _, name := range []string{netboot.Stamp, netboot.Store} {
		if !slices.Contains(names, name) && (name == netboot.Stamp || opts.output != "") {
			stale = append(stale, name)
		}
	}
	return place, folder.Commit(stale...)
}

// copyFile copies a file of a folder.
func (v verbs) copyFile(ctx context.Context, out *image.Output, m *medium.File, name string) error {
	f, err := m.Files().Find(name)
	if err != nil {
		return &netboot.FolderError{Path: m.Path, Reason: "has no " + name}
	}
	r := progress.NewReader(ctx, m.Files().Open(f), nil)
	_, err = io.CopyBuffer(io.NewOffsetWriter(out, 0), struct{ io.Reader }{r}, make([]byte, 4<<20))
	return err
}

// stampArchive writes an archive anew, compressed as its name says.
func (v verbs) stampArchive(ctx context.Context, m *medium.File, path string, paper *manifest.Manifest, stamped []byte, secret bool, opts options) (place string, err error) {
	place = path
	if opts.output != "" {
		place = opts.output
	}
	by, err := kexec.CompressionOf(place)
	if err != nil {
		return "", err
	}
	out, err := OwnArchive.CreateOutput(place, opts.force)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	if secret {
		if err := out.Private(); err != nil {
			return "", err
		}
	}
	files, err := kexec.Files(m.ReaderAt(), m.Size)
	if err != nil {
		return "", err
	}
	tar := out
	if by != kexec.Plain {
		if tar, err = image.CreateScratch(face.CacheFolder()); err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, tar.Abort()) }()
	}
	end, err := kexec.Restamp(tar, m.ReaderAt(), files, stamped, time.Unix(paper.Settings.Epoch, 0))
	if err != nil {
		return "", err
	}
	if by != kexec.Plain {
		if err := kexec.Compress(out, progress.NewReader(ctx, io.NewSectionReader(tar, 0, end), nil), by, 0); err != nil {
			return "", err
		}
	}
	if err := out.Flush(); err != nil {
		return "", err
	}
	if opts.output == "" {
		if err := image.RemoveSums(path); err != nil { // of what it was
			return "", err
		}
	}
	return place, out.Commit()
}
