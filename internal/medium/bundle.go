package medium

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/initrd"
	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/layer"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/netboot"
)

// Member is a file of a folder for network boots, or of an archive for kexec.
type Member struct {
	TreeFile
	Mode    fs.FileMode // permissions
	ModTime time.Time
}

// unit is of what the place of a file of a folder is a multiple, in bytes, where all are one behind the other.
const unit = 4096

// joined is files as one, each at its place, and zeros between them.
type joined struct {
	files []placed
	size  int64
}

type placed struct {
	io.ReaderAt
	at, size int64
}

// add says where a file is.
func (j *joined) add(r io.ReaderAt, size int64) (at int64) {
	at = (j.size + unit - 1) / unit * unit
	j.files = append(j.files, placed{r, at, size})
	j.size = at + size
	return at
}

// reader reads all that was added.
func (j *joined) reader() io.ReaderAt {
	all := layer.Over(layer.Zeros(j.size))
	for _, f := range j.files {
		all.PutFrom(f.at, f.size, f)
	}
	return all
}

// maxInitrds is more than any boot loader is given.
const maxInitrds = 16

// readFolder opens the files of a folder that its manifest names, and those that describe them, as one medium.
func (f *File) readFolder(folder string) error {
	paper, err := netboot.ReadManifest(filepath.Join(folder, netboot.Manifest))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &netboot.FolderError{Path: folder, Reason: "has no " + netboot.Manifest + ": it is another program's, or not finished"}
	case err != nil:
		return err
	case paper.Boot == nil || len(paper.Boot.Initrds) > maxInitrds:
		return &netboot.FolderError{Path: folder, Reason: "is none for network boots, as its " + netboot.Manifest + " has it"}
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	f.open = append(f.open, root.Close)
	names := append([]string{paper.Boot.Kernel}, paper.Boot.Initrds...)
	if _, err := root.Stat(netboot.Stamp); err == nil && !slices.Contains(names, netboot.Stamp) {
		names = append(names, netboot.Stamp)
	}
	all := &joined{}
	var members []Member
	for _, name := range append(names, netboot.Script, netboot.Sums, netboot.Manifest) {
		if slices.ContainsFunc(members, func(m Member) bool { return m.Path == name }) {
			return &netboot.FolderError{Path: folder, Reason: fmt.Sprintf("has a %s that names %s twice", netboot.Manifest, name)}
		}
		file, info, err := openMember(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // which verify tells
		}
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(folder, name), err)
		}
		f.open = append(f.open, file.Close)
		extent := Extent{all.add(file, info.Size()), info.Size()}
		members = append(members, Member{TreeFile{Path: name, Size: extent.Size, Extents: []Extent{extent}, Record: -1}, info.Mode().Perm(), info.ModTime()})
	}
	f.Medium = &Medium{Form: Folder, Size: all.size, r: all.reader(), members: members}
	f.describe(paper, nil)
	return nil
}

// openMember opens a regular file of a folder, wherever in that folder a link leads.
func openMember(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait
		return nil, nil, &ForeignError{Reason: "no regular file"}
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if info, err = file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil, errors.Join(err, file.Close(), &ForeignError{Reason: "no regular file"})
	}
	return file, info, nil
}

// readArchive reads what may be an archive for kexec that is not compressed. The error is [kexec.ErrNone] if it is
// none.
func (m *Medium) readArchive() error {
	files, err := kexec.Files(m.r, m.Size)
	if err != nil {
		return err
	}
	for _, f := range files {
		m.members = append(m.members, Member{TreeFile{Path: f.Name, Size: f.Size, Extents: []Extent{{f.Offset, f.Size}}, Record: -1}, f.Mode, f.ModTime})
	}
	own, err := find(m.members, path.Join(kexec.Folder, kexec.Manifest))
	if err != nil {
		return err
	}
	paper, err := manifest.Read(Join(m.r, own.Extents, own.Size))
	if err == nil && paper.Boot == nil {
		m.members = nil
		return kexec.ErrNone
	}
	m.Form = Archive
	m.describe(paper, err)
	return nil
}

// describe fills in what a manifest says; nil and why, if it is of no use.
func (m *Medium) describe(paper *manifest.Manifest, useless error) {
	m.paper, m.paperErr = paper, useless
	m.trees = []*Tree{{Name: "folder", src: m.r, listed: m.members}}
	if m.Form == Archive {
		m.trees[0].Name = "archive"
		m.Modes = []Mode{Kexec}
	}
	if paper == nil {
		return
	}
	m.Arch, _, _ = strings.Cut(paper.Platform, "-")
	if m.Arch == "i686" { // runs on the same machine
		m.Arch = "x86_64"
	}
	if m.Form == Folder {
		m.Modes = NetworkModes(m.Arch == "x86_64")
	}
}

// Bundled reports whether the medium is files beside one another that start a machine without one: it has the
// form Folder or Archive. Only livebuild's are read.
func (m *Medium) Bundled() bool { return m.Form == Folder || m.Form == Archive }

// Members are the files of a bundle, in the order in which they lie on the medium.
func (m *Medium) Members() []Member { return m.members }

// Beside is the path of a file of a bundle by the name that its manifest has for it.
func (m *Medium) Beside(name string) string {
	if m.Form == Archive {
		return path.Join(kexec.Folder, name)
	}
	return name
}

// bundledStore returns where the store of a bundle is: in one of its initrds.
func (m *Medium) bundledStore() (*io.SectionReader, error) {
	if m.paper == nil {
		return nil, m.paperErr
	}
	for _, name := range slices.Backward(m.paper.Boot.Initrds) {
		f, err := m.Files().Find(m.Beside(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		at := f.Extents[0].Offset
		section, err := initrd.FindStore(io.NewSectionReader(m.r, at, f.Size), f.Size)
		if err == nil {
			_, inside, size := section.Outer()
			return io.NewSectionReader(m.r, at+inside, size), nil
		}
	}
	return nil, &NoStoreError{"has no " + StoreImage + " in an initrd"}
}

// find finds a file among members.
func find(members []Member, name string) (TreeFile, error) {
	name = strings.Trim(path.Clean("/"+name), "/")
	for _, f := range members {
		if strings.EqualFold(f.Path, name) {
			return f.TreeFile, nil
		}
	}
	return TreeFile{}, fs.ErrNotExist
}
