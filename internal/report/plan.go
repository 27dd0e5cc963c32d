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
	"github.com/livebuild/livebuild/internal/netboot"
	"github.com/livebuild/livebuild/internal/nix"
)

// Plan is what an image would be.
type Plan struct {
	Configuration string   `json:"configuration"` // the one that starts by itself, as are the next ones
	Extended      bool     `json:"extended"`      // with the ISO module, which it lacks
	System        string   `json:"system"`
	BuildSystem   string   `json:"build_system"`
	Builder       string   `json:"builder"` // who builds for it: "nobody", "this machine", "another machine", "emulation"
	Toplevel      string   `json:"toplevel"`
	Systems       []System `json:"systems"` // all on the medium, in the order of the menu
	File          string   `json:"file"`
	VolumeID      string   `json:"volume_id"`
	Modes         []string `json:"modes"`
	Compression   string   `json:"compression"`
	Epoch         int64    `json:"epoch"`   // seconds since 1970
	Timeout       *int     `json:"timeout"` // of the menu in seconds; null: none
	StoreContents []string `json:"store_contents"`
	// Installs are the systems that the medium installs, each of which adds to its store.
	Installs      []Install `json:"installs,omitempty"`
	Entries       []Entry   `json:"entries"`
	Files         []File    `json:"files"`
	Build         []string  `json:"build"` // derivations
	Fetch         []string  `json:"fetch"` // store paths
	DownloadBytes int64     `json:"download_bytes"`

	SecureBoot *SecureBoot `json:"secure_boot,omitempty"` // null: the image is not for it
}

// System is one of those on a medium.
type System struct {
	Configuration string `json:"configuration"`
	System        string `json:"system"`
	Extended      bool   `json:"extended"`
	Default       bool   `json:"default"` // it starts by itself
	BuildSystem   string `json:"build_system"`
	Builder       string `json:"builder"`
	Toplevel      string `json:"toplevel"`
	Share         *Share `json:"store,omitempty"` // of several, if it is known
}

// Share is what of the store a system takes, and what of that those before it have not.
type Share struct {
	StorePaths int   `json:"store_paths"`
	StoreBytes int64 `json:"store_bytes"` // as Nix counts, NAR sizes
	AddedPaths int   `json:"added_paths"`
	AddedBytes int64 `json:"added_bytes"`
}

// String is the share in words.
func (s Share) String() string {
	return fmt.Sprintf("%s, %s; adds %s, %s",
		human.Count(s.StorePaths, "store path"), human.Size(s.StoreBytes), human.Count(s.AddedPaths, "store path"), human.Size(s.AddedBytes))
}

// NewShares are those of systems.
func NewShares(shares []image.Share) []Share {
	list := make([]Share, len(shares))
	for i, s := range shares {
		list[i] = Share{s.Paths, s.Bytes, s.AddsPaths, s.AddsBytes}
	}
	return list
}

// Entry is one of the boot menus.
type Entry struct {
	Platform string `json:"platform,omitempty"` // of its machine, on a medium for several: "BIOS", "x64", "aa64"
	Of       string `json:"of,omitempty"`       // the configuration whose submenu it is in
	Menu     string `json:"menu,omitempty"`     // the submenu of Options, if it is in one
	Title    string `json:"title"`
	Kernel   string `json:"kernel"`
	Initrd   string `json:"initrd,omitempty"` // several have a comma between them
	Line     string `json:"line"`             // the kernel's command line
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
// that, by platform.
func NewPlan(p *image.Plan, missing nix.Missing, by map[string]nix.BuildsBy) *Plan {
	r := &Plan{
		Configuration: p.System().Name,
		Extended:      p.System().Extended,
		System:        p.System().Platform,
		BuildSystem:   p.System().BuildPlatform,
		Builder:       builders[by[p.System().BuildPlatform]],
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
	for _, sys := range p.Systems() {
		r.Systems = append(r.Systems, System{
			Configuration: sys.Name, System: sys.Platform, Extended: sys.Extended, Default: sys == p.System(),
			BuildSystem: sys.BuildPlatform, Builder: builders[by[sys.BuildPlatform]], Toplevel: sys.Root().Toplevel.Out,
		})
	}
	if initrd := p.Initrd(); initrd != nil {
		r.addInitrd(p, initrd)
		return r
	}
	for _, menu := range p.Medium().Tree.Menus {
		r.addMenu(menu, len(p.Medium().Tree.Menus) > 1)
	}
	r.SecureBoot = plannedSecureBoot(p)
	for _, g := range p.Medium().Tree.Grafts {
		r.Files = append(r.Files, File{Target: "/" + g.Target, Source: g.Source})
	}
	return r
}

// addInitrd adds how a system without a medium starts.
func (r *Plan) addInitrd(p *image.Plan, initrd *image.Initrd) {
	root := p.System().Root()
	files := []string{netboot.Initrd}
	r.Files = []File{{initrd.Kernel, root.Kernel}, {netboot.Initrd, root.Initrd}}
	if initrd.Apart {
		files = append(files, netboot.Store)
		r.Files = append(r.Files, File{Target: netboot.Store})
	}
	r.Entries = append(r.Entries, Entry{
		Title: root.DistroName + " " + root.Label, Kernel: initrd.Kernel, Initrd: strings.Join(files, ","), Line: strings.Join(initrd.Params, " "),
	})
}

// addMenu adds the entries of a menu, which may be one of several.
func (r *Plan) addMenu(menu *boot.Menu, several bool) {
	platform := ""
	if several {
		if platform = menu.EFIArch; platform == "" {
			platform = "BIOS"
		}
	}
	add := func(of, group string, entries ...boot.Entry) {
		for _, e := range entries {
			r.Entries = append(r.Entries, Entry{
				Platform: platform, Of: of, Menu: group, Title: e.Title, Kernel: e.Kernel, Initrd: strings.Join(e.Initrds, ","),
				Line: e.CommandLine(), DeviceTree: cmp.Or(e.DeviceTree, e.DeviceTrees),
			})
		}
	}
	for i, system := range menu.Systems {
		of := ""
		if len(menu.Systems) > 1 {
			of = system.Name
		}
		add(of, "", system.Entries...)
		if i == menu.Default {
			add("", "", menu.Install...)
		}
		if menu.Check != nil && i == menu.Default {
			add("", "", *menu.Check)
		}
		for _, group := range system.Options {
			add(of, group.Title, group.Entries...)
		}
	}
	if menu.Memtest != nil {
		add("", "", *menu.Memtest)
	}
}

// AddShares adds what of the store each of the systems takes.
func (r *Plan) AddShares(shares []image.Share) {
	for i, share := range NewShares(shares) {
		r.Systems[i].Share = &share
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
	for _, sys := range r.Systems {
		sys.text(row, len(r.Systems) > 1)
	}
	row("file", r.File)
	if r.VolumeID != "" {
		row("volume ID", r.VolumeID)
	}
	row("boots as", strings.Join(r.Modes, ", "))
	row("compression", r.Compression)
	if r.VolumeID != "" {
		row("menu waits", human.Wait(r.Timeout))
	}
	for i, line := range r.SecureBoot.lines() {
		if i == 0 {
			row("Secure Boot", line)
		} else {
			row("", line)
		}
	}
	for i, root := range r.rows() {
		if i == 0 {
			row("store roots", root)
		} else {
			row("", root)
		}
	}

	for n, i := range r.Installs {
		name := ""
		if n == 0 {
			name = "installs"
		}
		row(name, i.text())
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

// text writes what is said of a system, which may be one of several.
func (s System) text(row func(name, value string), several bool) {
	configuration := s.Configuration
	if s.Extended {
		configuration += ", made live"
	}
	if several && s.Default {
		configuration += ", starts by itself"
	}
	row("configuration", configuration)
	row("system", s.System)
	row("built on", s.BuildSystem+", by "+s.Builder)
	row("toplevel", s.Toplevel)
	switch {
	case s.Share != nil:
		row("store", s.Share.String())
	case several:
		row("store", "what it adds is known when all is built")
	}
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
	var menus [][]Entry // of a system on a platform each
	for i, e := range r.Entries {
		last := len(menus) - 1
		if i == 0 || e.Of != menus[last][0].Of || e.Platform != menus[last][0].Platform {
			menus = append(menus, nil)
			last++
		}
		menus[last] = append(menus[last], e)
	}
	platform := ""
	for _, entries := range menus {
		indent := "  "
		if first := entries[0]; first.Platform != platform {
			platform = first.Platform
			fmt.Fprintf(w, "for %s\n", platform)
		}
		if of := entries[0].Of; of != "" {
			fmt.Fprintf(w, "%s%s\n", indent, of)
			indent += "  "
		}
		printEntries(w, indent, entries)
	}
}

// printEntries prints the entries of a system.
func printEntries(w io.Writer, indent string, entries []Entry) {
	for _, e := range entries {
		if e.Menu != "" {
			continue
		}
		fmt.Fprintf(w, "%s%s\n%s  kernel %s\n", indent, e.Title, indent, e.Kernel)
		if e.Initrd != "" {
			fmt.Fprintf(w, "%s  initrd %s\n", indent, e.Initrd)
		}
		if e.DeviceTree != "" {
			fmt.Fprintf(w, "%s  dtb    %s\n", indent, e.DeviceTree)
		}
		fmt.Fprintf(w, "%s  line   %s\n", indent, e.Line)
	}
	menu := ""
	for _, e := range entries {
		if e.Menu == menu {
			continue
		}
		if menu = e.Menu; menu != "" {
			fmt.Fprintf(w, "%s%s > %s: %s\n", indent, boot.OptionsTitle, e.Menu, addition(entries[0].Line, e.Line))
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
