// Package inspection is what an image tells of itself, whoever made it: how it starts, what its
// menus offer, which kernels and file systems it holds, and what takes the room in its store.
package inspection

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/squashfs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Image is what an image tells of itself.
type Image struct {
	Size        int64         `json:"size"` // bytes, of the file or the disk
	VolumeID    string        `json:"volume_id"`
	VolumeSize  int64         `json:"volume_size"` // bytes
	MadeBy      string        `json:"made_by"`     // as far as the volume says
	Publisher   string        `json:"publisher"`
	Application string        `json:"application"`
	Modified    *int64        `json:"modified"`   // seconds since 1970; null: not recorded
	Label       string        `json:"label"`      // of the system, by /version.txt or /.disk/info
	Arch        string        `json:"arch"`       // "" if it is not known
	Firmware32  bool          `json:"firmware32"` // it needs UEFI firmware of 32 bits
	Modes       []medium.Mode `json:"modes"`
	FromFile    []string      `json:"from_file"` // what starts it if it is a file on a disk: "loopback.cfg", "Ventoy"
	ElTorito    []BootEntry   `json:"el_torito"`
	BootCode    bool          `json:"boot_code"` // the MBR holds a program
	Partitions  []Partition   `json:"partitions"`
	Doubts      []string      `json:"doubts"` // what is wrong with the partition tables
	EFI         []EFISystem   `json:"efi"`
	SecureBoot  *SecureBoot   `json:"secure_boot"` // null: nothing on it is signed
	Menus       []Menu        `json:"menus"`
	Kernels     []Kernel      `json:"kernels"`
	FileSystems []FileSystem  `json:"file_systems"` // images of squashfs
	Store       *Store        `json:"store"`        // null: it holds no Nix store
}

// BootEntry is an entry of the boot catalog.
type BootEntry struct {
	Platform string `json:"platform"` // "BIOS", "UEFI" or a number
	Bootable bool   `json:"bootable"`
	Offset   int64  `json:"offset"` // bytes
	LoadSize int64  `json:"load_size"`
}

// Partition is an entry of the partition table.
type Partition struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Offset int64  `json:"offset"` // bytes
	Size   int64  `json:"size"`   // bytes
}

// EFISystem is an EFI system partition.
type EFISystem struct {
	Path  string    `json:"path"` // of its root directory, for ls
	Files []EFIFile `json:"files"`
}

// EFIFile is a file in an EFI system partition.
type EFIFile struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
}

// FileSystem is an image of a squashfs.
type FileSystem struct {
	Path        string `json:"path"`
	Size        int64  `json:"size"` // bytes of the file
	Compression string `json:"compression"`
	BlockSize   int    `json:"block_size"` // bytes
	Files       int    `json:"files"`
	Folders     int    `json:"folders"`
	Links       int    `json:"links"`
	Others      int    `json:"others"` // devices, pipes, sockets
	Bytes       int64  `json:"bytes"`  // of the files, when read
}

// Store is the Nix store of a NixOS medium.
type Store struct {
	Paths      int    `json:"paths"`
	NarSize    int64  `json:"nar_size"`   // bytes, by the registration
	Registered bool   `json:"registered"` // the medium says what it should hold
	Toplevel   string `json:"toplevel"`   // the system that its default entry starts; "" if that is not known
}

// Read reads all that an image tells.
func Read(ctx context.Context, m *medium.Medium, c *contents.Contents) (*Image, error) {
	v := m.Volume
	i := &Image{
		Size: m.Size, VolumeID: v.ID, VolumeSize: v.Size, MadeBy: madeBy(m), Publisher: v.Publisher, Application: v.Application,
		Arch: m.Arch, Firmware32: m.Firmware32, Modes: append([]medium.Mode{}, m.Modes...), BootCode: v.BootCode, FromFile: fromFile(m),
		ElTorito: []BootEntry{}, Partitions: []Partition{}, Doubts: []string{}, EFI: []EFISystem{}, Menus: []Menu{}, Kernels: []Kernel{},
		FileSystems: []FileSystem{},
	}
	if !v.Modified.IsZero() {
		seconds := v.Modified.Unix()
		i.Modified = &seconds
	}
	for _, e := range v.BootEntries {
		i.ElTorito = append(i.ElTorito, BootEntry{platform(e.Platform), e.Bootable, e.Offset, e.LoadSize})
	}
	for _, p := range v.Partitions {
		i.Partitions = append(i.Partitions, Partition(p))
	}
	for _, d := range v.Doubts {
		i.Doubts = append(i.Doubts, d.String())
	}
	var err error
	if i.Label, err = label(m); err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return i.readEFI(ctx, c) },
		func() error { return i.readSecureBoot(m) },
		func() error { return i.readMenus(m) },
		func() error { return i.readFileSystems(ctx, m, c) },
		func() error { return i.readStore(m) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// platform is one of El Torito's in words (El Torito 1.0 §2.1, UEFI 2.10 §13.3.2.1).
func platform(id uint8) string {
	switch id {
	case 0:
		return "BIOS"
	case 0xEF:
		return "UEFI"
	}
	return fmt.Sprintf("0x%02X", id)
}

// madeBy is the program that wrote the volume: writers name themselves as who prepared the
// data, or as the application.
func madeBy(m *medium.Medium) string {
	if m.MadeHere() {
		return "livebuild"
	}
	text := m.Volume.DataPreparer
	if strings.TrimSpace(text) == "" {
		text = m.Volume.Application
	}
	text, _, _ = strings.Cut(text, ",")
	text, _, _ = strings.Cut(text, "(C)")
	return strings.TrimSpace(text)
}

// labels are the files in which systems say what they are: NixOS, and Debian and its kin.
var labels = []string{"version.txt", ".disk/info"}

func label(m *medium.Medium) (string, error) {
	for _, name := range labels {
		text, ok, err := m.Files().Text(name)
		if err != nil {
			return "", err
		}
		if ok {
			line, _, _ := strings.Cut(text, "\n")
			return strings.TrimSpace(line), nil
		}
	}
	return "", nil
}

func (i *Image) readEFI(ctx context.Context, c *contents.Contents) error {
	for _, path := range c.Roots()[1:] {
		roots, err := c.Find(path, true)
		if err != nil {
			return err
		}
		system := EFISystem{Path: path, Files: []EFIFile{}}
		err = c.Walk(roots[0], func(f contents.File) error {
			if f.Mode.IsRegular() {
				system.Files = append(system.Files, EFIFile{f.Path, f.Size})
			}
			return context.Cause(ctx)
		})
		if err != nil {
			return err
		}
		i.EFI = append(i.EFI, system)
	}
	return nil
}

// nixStore is where the store of a medium is found, wherever its squashfs is.
const nixStore = "/nix/store/"

// smallest is the size of the smallest squashfs, its superblock, in bytes.
const smallest = 96

func (i *Image) readFileSystems(ctx context.Context, m *medium.Medium, c *contents.Contents) error {
	if m.Form == medium.Squashfs {
		s, err := squashfs.Open(m.ReaderAt(), m.Size)
		if err != nil {
			return err
		}
		system, err := count(ctx, s)
		system.Path, system.Size = "/", m.Size
		i.FileSystems = append(i.FileSystems, system)
		return err
	}
	if m.Form == medium.Initrd || m.Bundled() {
		s, err := m.Store()
		if err != nil {
			return err
		}
		section, err := m.StoreSection()
		if err != nil {
			return err
		}
		system, err := count(ctx, s.Reader)
		system.Path, system.Size = "/", section.Size()
		if m.Bundled() {
			system.Path = nixStore
		}
		i.FileSystems = append(i.FileSystems, system)
		return err
	}
	roots, err := c.Find("/", true)
	if err != nil {
		return err
	}
	return c.Walk(roots[0], func(f contents.File) error {
		if !f.Mode.IsRegular() || f.Size < smallest {
			return context.Cause(ctx)
		}
		r, err := c.Open(f)
		if err != nil {
			return context.Cause(ctx) // it is in no form that is read
		}
		s, err := squashfs.Open(r, r.Size())
		if errors.Is(err, squashfs.ErrNotSquashFS) {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		system, err := count(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		system.Path, system.Size = f.Path, f.Size
		i.FileSystems = append(i.FileSystems, system)
		return nil
	})
}

// Compression is a codec with its level, but that of xz, which no image tells.
func Compression(s codec.Settings) string {
	if s.Name == codec.XZ {
		return s.Name
	}
	words, _, _ := strings.Cut(s.String(), " ") // without the size of blocks
	return words
}

// count counts what is in a squashfs.
func count(ctx context.Context, s *squashfs.Reader) (FileSystem, error) {
	info := s.Info()
	system := FileSystem{Compression: Compression(info.Codec.Settings()), BlockSize: info.BlockSize}
	err := s.Walk(func(_ string, ino squashfs.Inode) error {
		switch {
		case ino.Mode.IsDir():
			system.Folders++
		case ino.Mode.IsRegular():
			system.Files++
			system.Bytes += ino.Size
		case ino.Mode.Type() == fs.ModeSymlink:
			system.Links++
		default:
			system.Others++
		}
		return context.Cause(ctx)
	})
	return system, err
}

func (i *Image) readStore(m *medium.Medium) error {
	s, err := m.Store()
	if errors.As(err, new(*medium.NoStoreError)) {
		return nil
	}
	if err != nil {
		return err
	}
	i.Store = &Store{Toplevel: i.toplevel()}
	closure, err := s.Registration()
	if err == nil {
		i.Store.Registered, i.Store.Paths, i.Store.NarSize = true, len(closure.Paths), closure.NarSize()
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	root, err := s.Root()
	if err != nil {
		return err
	}
	for _, err := range s.Entries(root) {
		if err != nil {
			return err
		}
		i.Store.Paths++
	}
	return nil
}
