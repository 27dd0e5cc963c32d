package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
)

// Plan is what an image would be.
type Plan struct {
	Configuration string   `json:"configuration"`
	Extended      bool     `json:"extended"` // with the ISO module, which it lacks
	System        string   `json:"system"`
	BuildSystem   string   `json:"build_system"`
	Builder       string   `json:"builder"` // who builds for it: "nobody", "this machine", "another machine", "emulation"
	Toplevel      string   `json:"toplevel"`
	File          string   `json:"file"`
	VolumeID      string   `json:"volume_id"`
	Modes         []string `json:"modes"`
	Compression   string   `json:"compression"`
	Epoch         int64    `json:"epoch"`   // seconds since 1970
	Timeout       *int     `json:"timeout"` // of the menu in seconds; null: none
	StoreContents []string `json:"store_contents"`
	Entries       []Entry  `json:"entries"`
	Files         []File   `json:"files"`
	Build         []string `json:"build"` // derivations
	Fetch         []string `json:"fetch"` // store paths
	DownloadBytes int64    `json:"download_bytes"`
}

// Entry is one of the boot menus.
type Entry struct {
	Menu   string `json:"menu,omitempty"` // the submenu of Options, if it is in one
	Title  string `json:"title"`
	Kernel string `json:"kernel"`
	Initrd string `json:"initrd,omitempty"` // several have a comma between them
	Line   string `json:"line"`             // the kernel's command line
	// DeviceTree is the file, or the directory of those that can be chosen.
	DeviceTree string `json:"device_tree,omitempty"`
}

// File is one of the medium.
type File struct {
	Target string `json:"target"`
	Source string `json:"source,omitempty"` // empty: made by livebuild
}

// builders are the words for who builds.
var builders = map[nix.BuildsBy]string{
	nix.Nobody:         "nobody",
	nix.ThisMachine:    "this machine",
	nix.AnotherMachine: "another machine",
	nix.Emulation:      "emulation",
}

// NewPlan describes a plan, what has to be done before it can be packed, and who does
// that.
func NewPlan(p *image.Plan, missing nix.Missing, by nix.BuildsBy) *Plan {
	r := &Plan{
		Configuration: p.System().Name,
		Extended:      p.System().Extended,
		System:        p.System().Platform,
		BuildSystem:   p.System().BuildPlatform,
		Builder:       builders[by],
		Toplevel:      p.System().Root().Toplevel.Out,
		File:          p.FileName(),
		VolumeID:      p.Medium().VolumeID,
		Modes:         ModeNames(p.Medium().Modes),
		Compression:   p.Store().Compression().String(),
		Epoch:         p.Medium().Epoch.Unix(),
		Timeout:       p.System().Timeout,
		StoreContents: p.StoreContents(),
		Entries:       []Entry{},
		Files:         []File{{Target: "/" + medium.StoreImage}},
		Build:         nonNil(missing.Build),
		Fetch:         nonNil(missing.Fetch),
		DownloadBytes: missing.DownloadSize,
	}
	for _, menu := range p.Medium().Tree.Menus {
		r.addMenu(menu)
	}
	for _, g := range p.Medium().Tree.Grafts {
		r.Files = append(r.Files, File{Target: "/" + g.Target, Source: g.Source})
	}
	return r
}

func (r *Plan) addMenu(menu *boot.Menu) {
	for i, system := range menu.Systems {
		r.add("", system.Entries)
		if menu.Check != nil && i == menu.Default {
			r.add("", []boot.Entry{*menu.Check})
		}
		for _, group := range system.Options {
			r.add(group.Title, group.Entries)
		}
	}
	if menu.Memtest != nil {
		r.add("", []boot.Entry{*menu.Memtest})
	}
}

func (r *Plan) add(menu string, entries []boot.Entry) {
	for _, e := range entries {
		r.Entries = append(r.Entries, Entry{Menu: menu, Title: e.Title, Kernel: e.Kernel, Initrd: strings.Join(e.Initrds, ","), Line: e.CommandLine(),
			DeviceTree: cmp.Or(e.DeviceTree, e.DeviceTrees)})
	}
}

// nonNil makes JSON say [] instead of null.
func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Text writes the plan in words.
func (r *Plan) Text(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(w, "%s\t%s\n", name, value) }
	configuration := r.Configuration
	if r.Extended {
		configuration += ", made live"
	}
	row("configuration", configuration)
	row("system", r.System)
	row("built on", r.BuildSystem+", by "+r.Builder)
	row("toplevel", r.Toplevel)
	row("file", r.File)
	row("volume ID", r.VolumeID)
	row("boots as", strings.Join(r.Modes, ", "))
	row("compression", r.Compression)
	row("menu waits", human.Wait(r.Timeout))
	for i, root := range r.StoreContents {
		if i == 0 {
			row("store roots", root)
		} else {
			row("", root)
		}
	}

	fmt.Fprintf(w, "\nmenu\n")
	r.printMenu(w)

	fmt.Fprintf(w, "\nfiles\n")
	for _, f := range r.Files {
		source := f.Source
		if source == "" {
			source = "made by livebuild"
		}
		fmt.Fprintf(w, "  %s\t%s\n", f.Target, source)
	}

	fmt.Fprintf(w, "\nto build: %s\n", human.Count(len(r.Build), "derivation"))
	printPaths(w, r.Build)
	fmt.Fprintf(w, "to fetch: %s, %s\n", human.Count(len(r.Fetch), "store path"), human.Size(r.DownloadBytes))
	printPaths(w, r.Fetch)
	return w.Flush()
}

// printPaths prints the first of many paths.
func printPaths(w io.Writer, paths []string) {
	const most = 20
	for _, path := range paths[:min(most, len(paths))] {
		fmt.Fprintf(w, "  %s\n", path)
	}
	if more := len(paths) - most; more > 0 {
		fmt.Fprintf(w, "  and %d more; --json lists them all\n", more)
	}
}

// printMenu prints the entries. Those of the menu Options are the others with
// something added to the kernel's line, the same to each.
func (r *Plan) printMenu(w io.Writer) {
	for _, e := range r.Entries {
		if e.Menu != "" {
			continue
		}
		fmt.Fprintf(w, "  %s\n    kernel %s\n", e.Title, e.Kernel)
		if e.Initrd != "" {
			fmt.Fprintf(w, "    initrd %s\n", e.Initrd)
		}
		if e.DeviceTree != "" {
			fmt.Fprintf(w, "    dtb    %s\n", e.DeviceTree)
		}
		fmt.Fprintf(w, "    line   %s\n", e.Line)
	}
	menu := ""
	for _, e := range r.Entries {
		if e.Menu == menu {
			continue
		}
		if menu = e.Menu; menu != "" {
			fmt.Fprintf(w, "  %s > %s: %s\n", boot.OptionsTitle, e.Menu, addition(r.Entries[0].Line, e.Line))
		}
	}
}

// addition is what a line has after another one.
func addition(base, line string) string {
	return strings.TrimSpace(strings.TrimPrefix(line, base))
}

// ModeNames are boot modes in words.
func ModeNames(modes []medium.Mode) []string {
	names := make([]string, len(modes))
	for i, m := range modes {
		names[i] = string(m)
	}
	return names
}
