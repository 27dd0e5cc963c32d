package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inspected is what 'livebuild inspect --json' prints, as far as tests look at it.
type inspected struct {
	Size       int64
	VolumeID   string `json:"volume_id"`
	MadeBy     string `json:"made_by"`
	Label      string
	Arch       string
	Modes      []string
	ElTorito   []struct{ Platform string } `json:"el_torito"`
	BootCode   bool                        `json:"boot_code"`
	Partitions []struct{ Offset, Size int64 }
	EFI        []struct {
		Files []struct {
			Path string
			Size int64
		}
	}
	Menus []struct {
		Loader  string
		Files   []string
		Entries []inspectedEntry
	}
	Kernels     []struct{ Path, Version string }
	FileSystems []struct {
		Path, Compression string
		Size, Bytes       int64
		BlockSize         int `json:"block_size"`
		Files             int
		Folders           int
		Links             int
	} `json:"file_systems"`
	Store *struct {
		Paths      int
		Registered bool
		Toplevel   string
	}
}

type inspectedEntry struct {
	Title, Line string
	Default     bool
	Entries     []inspectedEntry
}

func inspect(t *testing.T, image string) (r inspected) {
	t.Helper()
	o := livebuild(t, "inspect", image, "--json")
	if o.status != 0 || o.stderr != "" {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestInspect holds what inspect says of an image against its plan and other programs.
func TestInspect(t *testing.T) {
	r := miniISO(t)
	p := plan(t, miniFlake(t)+"#mini")
	got := inspect(t, r.File)
	if got.VolumeID != p.VolumeID || got.MadeBy != "livebuild" || got.Arch != "x86_64" || !slices.Equal(got.Modes, p.Modes) || !got.BootCode || len(got.ElTorito) != 2 {
		t.Errorf("the image is %+v", got)
	}
	medium := extracted(t, r.File)
	if want := strings.TrimSpace(string(readFile(t, filepath.Join(medium, "version.txt")))); got.Label != want {
		t.Errorf("the label is %q, want %q", got.Label, want)
	}
	if got.Store == nil || got.Store.Paths != r.StorePaths || got.Store.Toplevel != r.Toplevel || !got.Store.Registered {
		t.Errorf("the store is %+v, want %d paths and %s", got.Store, r.StorePaths, r.Toplevel)
	}

	if len(got.Menus) != 2 || got.Menus[0].Loader != "SYSLINUX" || !slices.Equal(got.Menus[1].Files, []string{"/EFI/BOOT/grub.cfg", "esp:/EFI/BOOT/grub.cfg"}) {
		t.Errorf("the menus are %+v", got.Menus)
	}
	entry := p.Entries[0]
	for _, m := range got.Menus {
		if e := m.Entries[0]; e.Title != entry.Title || !e.Default || !strings.HasPrefix(e.Line, entry.Kernel) || !strings.HasSuffix(e.Line, entry.Line) {
			t.Errorf("the first entry of %s is %+v, want %+v", m.Loader, e, entry)
		}
	}
	version := regexp.MustCompile(`version (\S+)`).FindStringSubmatch(judge(t, "file", "file", filepath.Join(medium, got.Kernels[0].Path)))
	if version == nil || got.Kernels[0].Version != version[1] {
		t.Errorf("the kernel is of version %q, file(1) says %q", got.Kernels[0].Version, version)
	}

	listing := judge(t, "squashfs-tools", "unsquashfs", "-lln", filepath.Join(medium, "nix-store.squashfs"))
	counts := map[byte]int{}
	for _, line := range regexp.MustCompile(`(?m)^[-dl][rwxst-]{9} \d`).FindAllString(listing, -1) { // names may hold line feeds
		counts[line[0]]++
	}
	if s := got.FileSystems[0]; len(got.FileSystems) != 1 || s.Files != counts['-'] || s.Folders != counts['d'] || s.Links != counts['l'] {
		t.Errorf("the file systems are %+v, unsquashfs counts %v", got.FileSystems, counts)
	}
	blocks := regexp.MustCompile(`Compression (\S+)[\s\S]*Block size (\d+)`).FindStringSubmatch(judge(t, "squashfs-tools", "unsquashfs", "-s", filepath.Join(medium, "nix-store.squashfs")))
	if s := got.FileSystems[0]; !strings.HasPrefix(s.Compression, blocks[1]) || fmt.Sprint(s.BlockSize) != blocks[2] {
		t.Errorf("the squashfs is %+v, unsquashfs says %q", s, blocks[1:])
	}

	text := livebuild(t, "inspect", r.File).stdout
	for _, want := range []string{p.VolumeID, entry.Title + " (default)\n", entry.Line + "\n", "… copytoram\n", "\"ISO 9660\", Linux file system, ", "  EFI system, ", got.Kernels[0].Version, r.Toplevel, "esp:/EFI/BOOT/BOOTX64.EFI"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

// TestInspectPaths holds sizes and chains against the store and unsquashfs.
func TestInspectPaths(t *testing.T) {
	r := miniISO(t)
	o := livebuild(t, "inspect", r.File, "--paths", "--json")
	var got struct {
		Roots    []string
		Metadata int64
		Paths    []struct {
			Path        string
			Size, Bytes int64
			NarSize     int64 `json:"nar_size"`
			ClosureSize int64 `json:"closure_size"`
			References  []string
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
		t.Fatalf("%v\n%s", err, o.stderr)
	}
	if !slices.Equal(got.Roots, []string{r.Toplevel}) || len(got.Paths) != r.StorePaths {
		t.Errorf("there are %d paths below %q, want %d below %s", len(got.Paths), got.Roots, r.StorePaths, r.Toplevel)
	}
	sum := got.Metadata
	references := map[string][]string{}
	for _, p := range got.Paths {
		sum += p.Size
		references[p.Path] = p.References
		if size := strings.TrimSpace(judge(t, "nix-bin", "nix-store", "--query", "--size", p.Path)); size != fmt.Sprint(p.NarSize) {
			t.Errorf("%s has a NAR of %d bytes, want %s", p.Path, p.NarSize, size)
		}
		want := strings.Fields(judge(t, "nix-bin", "nix-store", "--query", "--references", p.Path))
		want = slices.DeleteFunc(want, func(ref string) bool { return ref == p.Path })
		slices.Sort(want)
		if !slices.Equal(p.References, want) {
			t.Errorf("%s refers to %q, want %q", p.Path, p.References, want)
		}
	}
	for _, p := range got.Paths {
		if p.Path == r.Toplevel && p.ClosureSize != sum-got.Metadata {
			t.Errorf("the closure of all has %d bytes of %d", p.ClosureSize, sum-got.Metadata)
		}
	}
	// unsquashfs tells the size without the padding in bytes.
	medium := extracted(t, r.File)
	size := regexp.MustCompile(`Filesystem size (\d+) bytes`).FindStringSubmatch(judge(t, "squashfs-tools", "unsquashfs", "-s", filepath.Join(medium, "nix-store.squashfs")))
	if size == nil || size[1] != fmt.Sprint(sum) {
		t.Errorf("the sizes add up to %d, unsquashfs says %q", sum, size)
	}

	for _, p := range got.Paths {
		o := livebuild(t, "inspect", r.File, "--why", p.Path, "--json")
		var chains [][]string
		if err := json.Unmarshal([]byte(o.stdout), &chains); err != nil || len(chains) != 1 {
			t.Fatalf("%s: %v\n%s", p.Path, err, o.stderr)
		}
		chain := chains[0]
		if chain[0] != r.Toplevel || chain[len(chain)-1] != p.Path {
			t.Errorf("the chain to %s is %q", p.Path, chain)
		}
		for i, from := range chain[:len(chain)-1] {
			if !slices.Contains(references[from], chain[i+1]) {
				t.Errorf("%s does not refer to %s", from, chain[i+1])
			}
		}
		// Shortest: what is that near is found by as many steps, one for all, in the references.
		near := map[string]bool{r.Toplevel: true}
		for range len(chain) - 2 {
			next := map[string]bool{}
			for path := range near {
				next[path] = true
				for _, ref := range references[path] {
					next[ref] = true
				}
			}
			near = next
		}
		if len(chain) > 1 && near[p.Path] {
			t.Errorf("the chain to %s of %d paths is not the shortest", p.Path, len(chain))
		}
	}
}
