package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/inspection"
)

// Inspection is what an image tells of itself.
type Inspection struct {
	File string `json:"file"`
	*inspection.Image
	Kept    *Kept `json:"kept,omitempty"` // behind the image on a stick
	Columns int   `json:"-"`              // of the screen that people read it on; 0: it is none, and lines have any length
}

// Text says it for people. What an image says may be anything: it is shown, not printed.
func (r Inspection) Text(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, shown(value))
		}
	}
	row("file", r.File)
	row("size", human.Size(r.Size))
	row("volume ID", r.VolumeID)
	row("label", r.Label)
	row("made by", r.MadeBy)
	row("publisher", r.Publisher)
	if r.Modified != nil {
		row("made on", time.Unix(*r.Modified, 0).UTC().Format("2006-01-02 15:04"))
	}
	platform := r.Arch
	if r.Firmware32 {
		platform += ", UEFI of 32 bits"
	}
	row("platform", platform)
	modes := strings.Join(ModeNames(r.Modes), ", ")
	if modes == "" {
		modes = "nothing: it starts no machine"
	}
	row("boots as", modes)
	row("starts from a file", fromFile(r.FromFile))
	if r.Kept != nil {
		row("keeps files", r.Kept.place())
	}
	r.boot(w)
	r.secureBoot(w)
	r.menus(w)
	for _, k := range r.Kernels {
		version := shown(k.Version)
		if version == "" {
			version = "does not tell its version"
		}
		fmt.Fprintf(w, "\nkernel\t%s\n  version\t%s\n", shown(k.Path), version)
	}
	for _, s := range r.FileSystems {
		fmt.Fprintf(w, "\nsquashfs\t%s\n", shown(s.Path))
		fmt.Fprintf(w, "  compression\t%s, blocks of %d KiB\n", s.Compression, s.BlockSize>>10)
		fmt.Fprintf(w, "  size\t%s, %s when read\n", human.Size(s.Size), human.Size(s.Bytes))
		fmt.Fprintf(w, "  holds\t%s, %s, %s", human.Count(s.Files, "file"), human.Count(s.Folders, "folder"), human.Count(s.Links, "symbolic link"))
		if s.Others > 0 {
			fmt.Fprintf(w, ", %s", human.Count(s.Others, "special file"))
		}
		fmt.Fprintln(w)
	}
	if s := r.Store; s != nil {
		registered := ", not registered"
		if s.Registered {
			registered = ", " + human.Size(s.NarSize) + " unpacked"
		}
		fmt.Fprintf(w, "\nstore\t%s%s\n", human.Count(s.Paths, "store path"), registered)
		if s.Toplevel != "" {
			fmt.Fprintf(w, "  starts\t%s\n", shown(s.Toplevel))
		}
	}
	return w.Flush()
}

// boot says what firmware finds.
func (r Inspection) boot(w io.Writer) {
	for _, e := range r.ElTorito {
		not := ""
		if !e.Bootable {
			not = ", not bootable"
		}
		fmt.Fprintf(w, "El Torito\t%s, at byte %d%s\n", e.Platform, e.Offset, not)
	}
	if r.BootCode {
		fmt.Fprintf(w, "MBR\tholds a boot loader\n")
	}
	for n, p := range r.Partitions {
		name := partitionType(p.Type)
		if p.Name != "" && p.Name != name {
			name = fmt.Sprintf("%q, %s", p.Name, name)
		}
		fmt.Fprintf(w, "partition %d\t%s, %s at byte %d\n", n+1, name, human.Size(p.Size), p.Offset)
	}
	for _, d := range r.Doubts {
		fmt.Fprintf(w, "doubtful\t%s\n", shown(d))
	}
	for _, e := range r.EFI {
		fmt.Fprintf(w, "\nEFI system partition\t%s\n", e.Path)
		for _, f := range e.Files {
			fmt.Fprintf(w, "  %s\t%s\n", shown(f.Path), human.Size(f.Size))
		}
	}
}

func (r Inspection) menus(w io.Writer) {
	for _, m := range r.Menus {
		files := make([]string, len(m.Files))
		for i, f := range m.Files {
			files[i] = shown(f)
		}
		fmt.Fprintf(w, "\nmenu of %s\t%s\n", m.Loader, strings.Join(files, ", "))
		fmt.Fprintf(w, "  waits\t%s\n", human.Wait(m.Timeout))
		if !m.Sure {
			fmt.Fprintf(w, "  conditions\tdecide what is offered\n")
		}
		r.menuEntries(w, m.Entries, "  ", firstLine(m.Entries))
	}
}

// partitionTypes are names of types that images have: of the GPT (UEFI 2.10 §5.3.3, and the
// Discoverable Partitions Specification), and of the MBR.
var partitionTypes = map[string]string{
	"C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "EFI system",
	"0FC63DAF-8483-4772-8E79-3D69D8477DE4": "Linux file system",
	"EBD0A0A2-B9E5-4433-87C0-68B6B72699C7": "basic data",
	"21686148-6449-6E6F-744E-656564454649": "BIOS boot",
	"48465300-0000-11AA-AA11-00306543ECAC": "Apple HFS+",
	"83BD6B9D-7F41-11DC-BE0B-001560B84F0F": "FreeBSD boot",
	"0x00":                                 "empty",
	"0x17":                                 "hidden NTFS",
	"0x83":                                 "Linux",
	"0xCD":                                 "ISO 9660",
	"0xEF":                                 "EFI system",
}

// partitionType is a type for people, if it has a name with that.
func partitionType(id string) string {
	name, ok := partitionTypes[id]
	switch {
	case !ok:
		return "type " + id
	case strings.HasPrefix(id, "0x"):
		return name + " (" + id + ")"
	}
	return name
}

// firstLine is that of the first entry that starts a kernel.
func firstLine(entries []inspection.Entry) string {
	for _, e := range entries {
		if e.Line != "" {
			return e.Line
		}
		if line := firstLine(e.Entries); line != "" {
			return line
		}
	}
	return ""
}

// menuEntries says what can be chosen. Of a line that is the first one of the menu with something
// behind it, that is told.
func (r Inspection) menuEntries(w io.Writer, entries []inspection.Entry, indent, first string) {
	for _, e := range entries {
		mark := ""
		if e.Default {
			mark = " (default)"
		}
		fmt.Fprintf(w, "%s%s%s\n", indent, shown(e.Title), mark)
		line := shown(e.Line)
		if more, ok := strings.CutPrefix(e.Line, first+" "); ok && first != "" {
			line = "… " + shown(more)
		}
		if line != "" {
			fmt.Fprintln(w, human.Wrap(line, indent+"  ", r.Columns))
		}
		r.menuEntries(w, e.Entries, indent+"  ", first)
	}
}

// fromFile says by what an image can be started that is a file on a disk.
func fromFile(by []string) string {
	var words []string
	for _, name := range by {
		if name == "loopback.cfg" {
			name = "by another GRUB (loopback.cfg)"
		} else {
			name = "by " + name + ", as it is"
		}
		words = append(words, name)
	}
	return strings.Join(words, ", ")
}
