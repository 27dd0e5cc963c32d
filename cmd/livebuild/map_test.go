package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// mapPart is a part of a map, as its page has it.
type mapPart struct {
	name, kind  string
	size, bytes int64
	need        int
	parts       []mapPart
}

func (p *mapPart) UnmarshalJSON(data []byte) error {
	var files int
	var class, base string
	return json.Unmarshal(data, &[]any{&p.name, &p.kind, &p.size, &p.bytes, &files, &class, &p.need, &base, &p.parts})
}

// mapPage is what a page has for its script.
type mapPage struct {
	Root  mapPart
	Needs []struct {
		Name string `json:"n"`
		By   int    `json:"b"`
	}
}

// drawn draws the map of an image, twice, and returns what is in it.
func drawn(t *testing.T, image string) (page mapPage) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "map.html")
	var pages [][]byte
	for range 2 {
		o := livebuild(t, "inspect", image, "--map", file)
		if o.status != 0 || o.stderr != "" || !strings.HasPrefix(o.stdout, file) {
			t.Fatalf("status %d\n%s%s", o.status, o.stdout, o.stderr)
		}
		pages = append(pages, readFile(t, file))
	}
	if !bytes.Equal(pages[0], pages[1]) {
		t.Errorf("two maps of %s differ", image)
	}
	_, data, _ := bytes.Cut(pages[0], []byte(`<script type="application/json" id="data">`))
	data, _, _ = bytes.Cut(data, []byte("</script>"))
	if err := json.Unmarshal(data, &page); err != nil {
		t.Fatal(err)
	}
	return page
}

// checkSums checks that parts add up, everywhere, and to the size of the image.
func checkSums(t *testing.T, image string, page mapPage) {
	t.Helper()
	info, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	if page.Root.size != info.Size() {
		t.Errorf("%s: the map has %d bytes, the file %d", image, page.Root.size, info.Size())
	}
	var check func(p mapPart)
	check = func(p mapPart) {
		size, bytes := int64(0), int64(0)
		for _, child := range p.parts {
			size, bytes = size+child.size, bytes+child.bytes
			check(child)
		}
		if len(p.parts) > 0 && (size != p.size || bytes != p.bytes) {
			t.Errorf("%s: %s has %d bytes, %d when read; its parts have %d and %d", image, p.name, p.size, p.bytes, size, bytes)
		}
	}
	check(page.Root)
}

// find is the part at the way of names.
func (p mapPart) find(way ...string) mapPart {
	for _, name := range way {
		n := slices.IndexFunc(p.parts, func(child mapPart) bool { return child.name == name })
		if n < 0 {
			return mapPart{}
		}
		p = p.parts[n]
	}
	return p
}

// TestInspectMap holds the map of the image against its files, the sizes that --paths tells and
// the chains of --why.
func TestInspectMap(t *testing.T) {
	r := miniISO(t)
	page := drawn(t, r.File)
	checkSums(t, r.File, page)
	medium := extracted(t, r.File)
	kernel, err := filepath.Glob(filepath.Join(medium, "boot/nix/store/*/bzImage"))
	if err != nil || len(kernel) != 1 {
		t.Fatal(kernel, err)
	}
	info, err := os.Stat(kernel[0])
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(filepath.Base(filepath.Dir(kernel[0])), "-")
	if got := page.Root.find("boot", "nix/store", name, "bzImage"); got.bytes != info.Size() || got.size != (info.Size()+2047)/2048*2048 {
		t.Errorf("the kernel is %+v, want %d bytes", got, info.Size())
	}
	if got := page.Root.find("boot", "efi.img", "EFI/BOOT", "BOOTX64.EFI"); got.bytes == 0 {
		t.Errorf("the EFI system partition is %+v", page.Root.find("boot", "efi.img"))
	}

	var paths struct {
		Paths []struct {
			Path        string
			Size, Bytes int64
		}
	}
	if err := json.Unmarshal([]byte(livebuild(t, "inspect", r.File, "--paths", "--json").stdout), &paths); err != nil {
		t.Fatal(err)
	}
	sizes := map[string][2]int64{} // by names, which of this system are its own
	chains := map[string][]string{}
	for _, p := range paths.Paths {
		_, name, _ := strings.Cut(filepath.Base(p.Path), "-")
		sizes[name] = [2]int64{p.Size, p.Bytes}
		var chain [][]string
		if err := json.Unmarshal([]byte(livebuild(t, "inspect", r.File, "--why", p.Path, "--json").stdout), &chain); err != nil {
			t.Fatal(err)
		}
		for _, step := range chain[0] {
			_, step, _ = strings.Cut(filepath.Base(step), "-")
			chains[name] = append(chains[name], step)
		}
	}
	found := 0
	var check func(p mapPart)
	check = func(p mapPart) {
		for _, child := range p.parts {
			if child.kind == "g" {
				check(child)
			}
			if child.kind != "p" {
				continue
			}
			found++
			if want, ok := sizes[child.name]; !ok || want != [2]int64{child.size, child.bytes} {
				t.Errorf("%s has %d bytes, %d when read, --paths says %d", child.name, child.size, child.bytes, want)
			}
			var chain []string
			for n := child.need; n > 0; n = page.Needs[n].By {
				chain = append([]string{page.Needs[n].Name}, chain...)
			}
			if !slices.Equal(chain, chains[child.name]) {
				t.Errorf("%s is needed by %q, --why says %q", child.name, chain, chains[child.name])
			}
		}
	}
	check(page.Root.find("nix-store.squashfs"))
	if found < len(paths.Paths)*3/4 { // the others are empty
		t.Errorf("%d of %d store paths are told", found, len(paths.Paths))
	}

	drawing := filepath.Join(t.TempDir(), "map.svg")
	if o := livebuild(t, "inspect", r.File, "--map", drawing, "--json"); o.status != 0 || !strings.Contains(o.stdout, fmt.Sprintf(`"size": %d`, page.Root.size)) {
		t.Errorf("status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	if svg := string(readFile(t, drawing)); !strings.Contains(svg, "needed by "+strings.Join(chains[name][:len(chains[name])-1], " → ")) {
		t.Errorf("no title says who needs %s", name)
	}
}

// TestInspectForeignSums checks that sizes add up on images of other makers: those of store paths to
// the squashfs, as unsquashfs tells it, and those of a map to the file.
func TestInspectForeignSums(t *testing.T) {
	dir := t.TempDir()
	shell := func(script string) {
		t.Helper()
		cmd := exec.Command("sh", "-euc", script)
		cmd.Dir, cmd.Env = dir, environment(t)
		need.Output(t, cmd)
	}
	need.Path(t, "squashfs-tools", "mksquashfs")
	need.Path(t, "squashfs-tools-ng", "gensquashfs")
	need.Path(t, "genisoimage", "genisoimage")
	// Equal files, tails, hard links, holes, what does not compress, and names of one package.
	shell(`mkdir -p nix/h1-a-1.0 nix/h2-a-1.0-bin/sub nix/h3-b-2.0 nix/h4-empty boot/grub
		seq 1 60000 > nix/h1-a-1.0/numbers; cp nix/h1-a-1.0/numbers nix/h3-b-2.0/same
		head -c 300001 /dev/urandom > nix/h3-b-2.0/noise; ln nix/h3-b-2.0/noise nix/h2-a-1.0-bin/sub/linked
		truncate -s 20M nix/h2-a-1.0-bin/hole; echo end >> nix/h2-a-1.0-bin/hole
		i=0; while [ $i -lt 400 ]; do echo "small $i" > nix/h2-a-1.0-bin/sub/$i; i=$((i+1)); done
		ln -s ../h1-a-1.0 nix/h3-b-2.0/link; head -c 5000 /dev/urandom > boot/kernel; echo menu > boot/grub/grub.cfg`)
	for name, pack := range map[string]string{
		"mksquashfs":   "mksquashfs nix tree/nix-store.squashfs -comp xz -quiet -no-progress",
		"no fragments": "mksquashfs nix tree/nix-store.squashfs -comp zstd -no-fragments -no-duplicates -quiet -no-progress",
		"fragments":    "mksquashfs nix tree/nix-store.squashfs -comp lz4 -b 4K -always-use-fragments -quiet -no-progress",
		"gensquashfs":  "gensquashfs -q -D nix tree/nix-store.squashfs",
		"tar2sqfs":     "tar -C nix -cf - . | tar2sqfs -q -c gzip tree/nix-store.squashfs",
	} {
		shell("rm -rf tree; mkdir tree; cp -r boot tree; " + pack)
		size := regexp.MustCompile(`Filesystem size (\d+) bytes`).FindStringSubmatch(judge(t, "squashfs-tools", "unsquashfs", "-s", filepath.Join(dir, "tree/nix-store.squashfs")))
		shell("genisoimage -quiet -r -o image.iso tree")
		image := filepath.Join(dir, "image.iso")
		o := livebuild(t, "inspect", image, "--paths", "--json")
		var got struct {
			Metadata int64
			Paths    []struct{ Size int64 }
		}
		if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, o.stderr)
		}
		sum := got.Metadata
		for _, p := range got.Paths {
			sum += p.Size
		}
		if len(got.Paths) != 4 || size == nil || size[1] != fmt.Sprint(sum) || got.Metadata <= 0 {
			t.Errorf("%s: %d store paths and %d bytes of metadata add up to %d, unsquashfs says %q", name, len(got.Paths), got.Metadata, sum, size)
		}
		page := drawn(t, image)
		checkSums(t, image, page)
		if a := page.Root.find("nix-store.squashfs", "a"); len(a.parts) != 2 || a.bytes < 20<<20 {
			t.Errorf("%s: the package is %+v", name, a)
		}
	}

	// With a second and a third copy of its boot files, in a partition that is no file.
	need.Path(t, "grub-common", "grub-mkrescue")
	shell(`grub-mkrescue -d /usr/lib/grub/x86_64-efi -o grub.iso tree 2>&1
		mformat -C -i efi.img -T 4096 -h 2 -s 32 ::; mmd -i efi.img ::/EFI; mcopy -i efi.img boot/kernel ::/EFI/KERNEL
		xorriso -as mkisofs -quiet -r -o appended.iso -append_partition 2 0xef efi.img tree 2>&1`)
	grub := drawn(t, filepath.Join(dir, "grub.iso"))
	checkSums(t, filepath.Join(dir, "grub.iso"), grub)
	if got := grub.Root.find("efi.img", "efi/boot"); got.size == 0 {
		t.Errorf("GRUB's EFI system partition is %+v", grub.Root.find("efi.img"))
	}
	appended := drawn(t, filepath.Join(dir, "appended.iso"))
	checkSums(t, filepath.Join(dir, "appended.iso"), appended)
	if got := appended.Root.find("EFI system partition", "EFI", "KERNEL"); got.bytes != 5000 {
		t.Errorf("the appended EFI system partition is %+v", appended.Root.find("EFI system partition"))
	}
}
