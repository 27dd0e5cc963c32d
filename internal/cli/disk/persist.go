package disk

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/persistence"
	"github.com/livebuild/livebuild/internal/report"
)

// persist is the flags about what a stick keeps.
type persist struct {
	text string
	luks bool
	flag *pflag.Flag // of text

	lose, fresh bool  // what is kept; and there shall be room for it
	size        int64 // of a new partition, in bytes; 0 for what is left
}

const (
	persistNew  = "new" // --persist alone
	persistLose = "no"
	persistOver = "recreate"
)

func (o *persist) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.text, "persist", "",
		"have the live system keep its files on the stick, in a partition of `SIZE` behind the image (default: all that is left but room for a larger image); one that is there is kept; recreate or recreate,SIZE makes it anew, no leaves none: both lose what is kept")
	o.flag = f.Lookup("persist")
	o.flag.NoOptDefVal = persistNew
	f.BoolVar(&o.luks, "persist-luks", false, "with --persist: encrypt what is kept, with a passphrase that the live system asks for")
}

// check reads them. Its error is a *face.UsageError.
func (o *persist) check() error {
	if o.luks && (o.text == "" || o.text == persistLose) {
		return face.Usage(errors.New("--persist-luks is about --persist, which is missing"))
	}
	text := o.text
	switch {
	case text == persistLose:
		o.lose = true
	case text == persistNew, text == "" && !o.flag.Changed:
		o.fresh = text != ""
	default:
		o.fresh = true
		first, rest, both := strings.Cut(text, ",")
		if o.lose = first == persistOver; o.lose {
			text = rest
		}
		if text == "" && !both {
			return nil
		}
		size, err := face.ParseSize(text, 'M')
		if err == nil && size < persistence.MinSize {
			err = fmt.Errorf("%q is less than %d MiB", text, persistence.MinSize>>20)
		}
		if err != nil {
			return face.Usage(fmt.Errorf("--persist takes a size such as 8G, or %s, or %s: %w", persistOver, persistLose, err))
		}
		o.size = size
	}
	return nil
}

// format is that of a new partition.
func (o *persist) format() persistence.Format {
	if o.luks {
		return persistence.LUKS
	}
	return persistence.Ext4
}

// loses says what becomes of what a disk has, as its partition table tells it.
func (o *persist) loses(d device.Disk) string {
	for _, p := range d.Partitions {
		if p.Label != persistence.Name {
			continue
		}
		if o.lose {
			return fmt.Sprintf("All of it will be lost, with the %s in which files are kept.", human.Size(p.Size))
		}
		return fmt.Sprintf("All of it will be lost but the %s in which files are kept.", human.Size(p.Size))
	}
	return "All of it will be lost."
}

// look finds out what the devices keep. Comparing writes nothing, and loses nothing.
func (w *Writing) look() error {
	w.kept = make([]*persistence.Kept, len(w.devices))
	for i, dev := range w.devices {
		kept, err := persistence.Locate(dev, dev.Disk.Size)
		if err != nil {
			return fmt.Errorf("%s: %w", dev.Disk.Path, err)
		}
		if kept != nil && w.options.persist.lose {
			kept = nil
		}
		w.kept[i] = kept
	}
	return nil
}

// places reports whether a partition is still to be placed behind the image.
func (w *Writing) places() bool {
	if !w.options.persist.fresh {
		return false
	}
	for _, k := range w.kept {
		if k == nil {
			return true
		}
	}
	return false
}

// checkRoom returns an error if so many bytes of an image do not fit onto one of the devices,
// before what it keeps.
func (w *Writing) checkRoom(need int64) error {
	for i, dev := range w.devices {
		if err := dev.Disk.CheckSize(need); err != nil {
			return err
		}
		if w.kept != nil && w.kept[i] != nil {
			if err := w.kept[i].Check(dev.Disk.Path, need); err != nil {
				return err
			}
		}
	}
	return nil
}

// place decides where a new partition is on each device, behind an image of so many bytes.
func (w *Writing) place(size int64) error {
	for i, dev := range w.devices {
		if w.kept[i] != nil || !w.options.persist.fresh {
			continue
		}
		if dev.Disk.SectorSize != 512 {
			return &persistence.SectorError{Path: dev.Disk.Path, Size: dev.Disk.SectorSize}
		}
		p, err := persistence.New(dev.Disk.Path, size, dev.Disk.Size, w.options.persist.size)
		if err != nil {
			return err
		}
		w.kept[i] = &persistence.Kept{Partition: p, Fresh: w.options.persist.format()}
	}
	return w.checkRoom(size)
}

// ForgetfulError says that the live system of an image keeps nothing.
type ForgetfulError struct {
	Name string // of the image
	LUKS bool   // it keeps something, but not encrypted
}

func (e *ForgetfulError) Error() string {
	if e.LUKS {
		return "the live system of " + e.Name + " cannot keep files encrypted: it was made without"
	}
	return "the live system of " + e.Name + " keeps no files: it was made without"
}

// CheckKeeps refuses an image, whose stage 1 takes what is kept in that form, if it does not do
// what is asked for.
func (o *Options) CheckKeeps(name string, takes string) error {
	switch {
	case !o.persist.fresh:
		return nil
	case takes == "":
		return &ForgetfulError{Name: name}
	case o.persist.luks && takes != manifest.PersistentLUKS:
		return &ForgetfulError{Name: name, LUKS: true}
	}
	return nil
}

// checkKeeps is CheckKeeps of an image that can be read.
func (o *Options) checkKeeps(name string, r io.ReaderAt, size int64) error {
	if !o.persist.fresh {
		return nil
	}
	takes := ""
	if r == nil { // compressed: it is asked when it is on the disk
		return nil
	}
	if m, err := medium.ReadAny(r, size); err == nil {
		if says, err := m.Manifest(); err == nil {
			takes = says.Changes.Persistent
		}
	}
	return o.CheckKeeps(name, takes)
}

// besides are the partitions, as the transfer has it. The source is the image, or nil if it
// cannot be read before it is written.
func (w *Writing) besides(source io.ReaderAt) ([]*device.Besides, error) {
	all := make([]*device.Besides, len(w.devices))
	for i, kept := range w.kept {
		if kept == nil {
			continue
		}
		disk, dev := w.devices[i].Disk, w.devices[i]
		if source != nil && !w.verifyOnly { // rather than when all of it is written
			head := make([]byte, persistence.Ends)
			n, err := source.ReadAt(head, 0)
			if err != nil && err != io.EOF {
				return nil, err
			}
			if _, _, err := kept.Extend(head[:n], disk.Size); err != nil {
				return nil, fmt.Errorf("%s: %w", disk.Path, err)
			}
		}
		b := &device.Besides{Limit: kept.Start, Note: kept.Note()}
		b.Extend = func(head []byte) (first, last []byte, err error) {
			if source == nil && !w.verifyOnly && !w.streamed && kept.Fresh != persistence.Ready {
				if err := w.options.checkKeeps("the image", persistence.Under(dev, head), disk.Size); err != nil {
					return nil, nil, err
				}
			}
			return kept.Extend(head, disk.Size)
		}
		for _, p := range kept.Pieces() {
			b.Fresh = append(b.Fresh, device.Piece(p))
		}
		all[i] = b
	}
	return all, nil
}

// describeKept is what a device keeps, when its image was written or compared; nil if that is
// nothing.
func (w *Writing) describeKept(i int) *report.Kept {
	if w.kept == nil || w.kept[i] == nil {
		return nil
	}
	return report.NewKept(w.kept[i].Partition, w.devices[i])
}

// tellKept says what the devices keep.
func (w *Writing) tellKept() {
	for i, k := range w.kept {
		if k == nil || w.verifyOnly {
			continue
		}
		path := w.devices[i].Disk.Path
		if k.Fresh != persistence.Ready {
			w.Console.Line(fmt.Sprintf("%s gets %s behind the image in which the live system keeps its files", path, human.Size(k.Size)))
			continue
		}
		w.Console.Line(fmt.Sprintf("%s keeps its files, %s behind the image", path, human.Size(k.Size)))
	}
}
