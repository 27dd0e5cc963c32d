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
	r.boot(w)
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
		fmt.Fprintf(w, "El Torito\t%s, at %d%s\n", e.Platform, e.Offset, not)
	}
	if r.BootCode {
		fmt.Fprintf(w, "MBR\tholds a boot loader\n")
	}
	for n, p := range r.Partitions {
		fmt.Fprintf(w, "partition %d\t%s\n", n+1, strings.TrimSpace(fmt.Sprintf("%s, %s at %d %s", p.Type, human.Size(p.Size), p.Offset, shown(p.Name))))
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
		menuEntries(w, m.Entries, "  ")
	}
}

func menuEntries(w io.Writer, entries []inspection.Entry, indent string) {
	for _, e := range entries {
		mark := ""
		if e.Default {
			mark = " (default)"
		}
		fmt.Fprintf(w, "%s%s%s\n", indent, shown(e.Title), mark)
		if e.Line != "" {
			fmt.Fprintf(w, "%s  %s\n", indent, shown(e.Line))
		}
		menuEntries(w, e.Entries, indent+"  ")
	}
}
