package medium

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/livebuild/livebuild/internal/initrd"
	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/pkg/gpt"
	"github.com/livebuild/livebuild/pkg/hybridiso"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// Form is what an image is as a whole.
type Form int

// The forms of images.
const (
	Disc     Form = iota // it begins with an ISO 9660 volume, wherever it is copied to
	Squashfs             // a squashfs alone, as of a store or of a root file system
	Initrd               // what a boot loader puts into memory, with the squashfs of a store in it
	Disk                 // partitions, an EFI system partition among them, and no volume
	Folder               // files for network boots, that lie beside one another, in any order
	Archive              // the same for kexec, in a tar
)

// errNoForm says that an image has none of the forms that are read.
var errNoForm = errors.New("no ISO 9660 volume")

// otherForm reads what is no volume.
func (m *Medium) otherForm() error {
	if _, err := squashfs.Open(io.NewSectionReader(m.r, 0, m.Size), m.Size); !errors.Is(err, squashfs.ErrNotSquashFS) {
		m.Form = Squashfs
		m.trees = []*Tree{{Name: "volume", src: m.r}}
		return err
	}
	// Before it is taken for an initrd, which is the end of such an archive.
	if err := m.readArchive(); !errors.Is(err, kexec.ErrNone) {
		return err
	}
	if _, err := initrd.FindStore(m.r, m.Size); err == nil {
		m.Form = Initrd
		m.trees = []*Tree{{Name: "volume", src: m.r}}
		return nil
	}
	disk, err := gpt.Read(io.NewSectionReader(m.r, 0, m.Size), m.Size)
	if err != nil {
		return errNoForm
	}
	m.Form = Disk
	m.Volume.Doubts = disk.Findings
	if table := disk.GPT(); table != nil {
		for _, p := range table.Partitions {
			m.Volume.Partitions = append(m.Volume.Partitions, hybridiso.Partition{
				Type: p.Type.String(), Name: p.Name,
				Offset: p.Start * int64(table.SectorSize), Size: p.Sectors * int64(table.SectorSize),
			})
		}
	} else if disk.MBR != nil && disk.MBR.HasTable() {
		for _, p := range disk.MBR.Partitions {
			if p.Sectors != 0 && p.Type != gpt.TypeProtective {
				m.Volume.Partitions = append(m.Volume.Partitions, hybridiso.Partition{
					Type: fmt.Sprintf("0x%02X", p.Type), Offset: int64(p.Start) * int64(disk.SectorSize), Size: int64(p.Sectors) * int64(disk.SectorSize),
				})
			}
		}
	}
	if disk.MBR != nil {
		m.Volume.BootCode = disk.MBR.Boots()
	}
	m.trees = []*Tree{{Name: "volume", src: m.r}}
	m.partitionTrees()
	if len(m.trees) == 1 {
		return errNoForm
	}
	return nil
}

// nothing is the file system of an image without a volume.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
