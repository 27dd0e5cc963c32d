package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// benchResult is what 'livebuild bench --json' prints, as its documentation
// has it.
type benchResult struct {
	StoreBytes int64 `json:"store_bytes"`
	TriedBytes int64 `json:"tried_bytes"`
	Trials     []struct {
		Compression  string
		Seconds      float64
		Size         int64
		MemoryBytes  int64   `json:"memory_bytes"`
		ReadSpeed    int64   `json:"read_bytes_per_second"`
		TriedSeconds float64 `json:"tried_seconds"`
		TriedSize    int64   `json:"tried_size"`
		Marks        []string
	}
}

func bench(t testing.TB, args ...string) benchResult {
	t.Helper()
	o := livebuild(t, append([]string{"bench", miniFlake(t) + "#mini", "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("livebuild bench: status %d\n%s", o.status, o.stderr)
	}
	var r benchResult
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("livebuild bench --json printed %q: %v", o.stdout, err)
	}
	return r
}

// TestBench holds what is measured against an image of the same.
func TestBench(t *testing.T) {
	r := bench(t, "--compression", "lz4", "--compression", "zstd:3", "--sample", "0")
	if len(r.Trials) != 2 || r.TriedBytes != r.StoreBytes || r.StoreBytes == 0 {
		t.Fatalf("%+v", r)
	}
	for _, trial := range r.Trials {
		image := iso(t, "mini", "--compression", trial.Compression)
		if trial.Size != image.SquashfsBytes || trial.TriedSize != trial.Size {
			t.Errorf("%s: %d bytes, the image's store has %d", trial.Compression, trial.Size, image.SquashfsBytes)
		}
		if trial.Seconds <= 0 || trial.MemoryBytes < 1<<20 || trial.ReadSpeed < 1<<20 {
			t.Errorf("%+v", trial)
		}
	}
	if marks := r.Trials[1].Marks; !slices.Contains(marks, "configured") || !slices.Contains(marks, "smallest") {
		t.Errorf("zstd:3, which is configured and the smaller one, is marked as %q", marks)
	}
}

// TestBenchSample checks that a sample tells the size of the whole.
func TestBenchSample(t *testing.T) {
	whole := bench(t, "--compression", "lz4", "--sample", "0")
	r := bench(t, "--compression", "lz4", "--sample", "20")
	if r.StoreBytes != whole.StoreBytes || r.TriedBytes >= r.StoreBytes || r.TriedBytes == 0 {
		t.Fatalf("%d of %d bytes are tried", r.TriedBytes, r.StoreBytes)
	}
	want := whole.Trials[0].Size
	if got := r.Trials[0].Size; got < want*99/100 || got > want*101/100 {
		t.Errorf("estimated %d bytes, the whole has %d", got, want)
	}
	if trial := r.Trials[0]; trial.TriedSize >= trial.Size || trial.TriedSeconds >= trial.Seconds {
		t.Errorf("%+v", trial)
	}
}

func TestBenchTable(t *testing.T) {
	cache := t.TempDir()
	o := call{env: []string{"XDG_CACHE_HOME=" + cache}}.livebuild(t, "bench", miniFlake(t)+"#mini", "--sample", "5")
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
	if !strings.HasPrefix(lines[0], "estimates for a store of ") || !strings.HasPrefix(lines[2], "compression  time ") {
		t.Errorf("the table is\n%s", o.stdout)
	}
	for i, name := range []string{"zstd:3", "lz4", "zstd:6", "zstd:15", "zstd:19", "xz"} {
		if line := lines[i+3]; !strings.HasPrefix(line, name+" ") || strings.Count(line, "~") != 2 || strings.TrimRight(line, " ") != line {
			t.Errorf("line %q, want one of %s", line, name)
		}
	}
	for _, mark := range []string{"configured", "quick", "smallest"} {
		if strings.Count(o.stdout, mark) != 1 {
			t.Errorf("%d lines are %s\n%s", strings.Count(o.stdout, mark), mark, o.stdout)
		}
	}
	checkNames(t, cache, "livebuild", "nix") // no image is left
}

// TestKernelWithoutDecompressor gives the test flake a kernel of which nothing
// is there but its configuration.
func TestKernelWithoutDecompressor(t *testing.T) {
	t.Parallel()
	var kernel bytes.Buffer
	kernel.WriteString("IKCFG_ST")
	z := gzip.NewWriter(&kernel)
	if _, err := z.Write([]byte("CONFIG_SQUASHFS=m\nCONFIG_SQUASHFS_ZLIB=y\nCONFIG_SQUASHFS_LZ4=y\n# CONFIG_SQUASHFS_ZSTD is not set\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	kernel.WriteString("IKCFG_ED")
	flake := filepath.Join(t.TempDir(), "mini")
	judge(t, "coreutils", "cp", "-R", miniFlake(t), flake)
	writeFile(t, filepath.Join(flake, "vmlinuz"), kernel.Bytes())
	packages := filepath.Join(flake, "pkgs.nix")
	writeFile(t, packages, bytes.Replace(readFile(t, packages), []byte("${debian}/boot/vmlinuz"), []byte("${./vmlinuz}"), 1))
	for compression, warns := range map[string]bool{"zstd:3": true, "lz4": false, "none": false} {
		o := livebuild(t, "iso", flake+"#mini", "-o", filepath.Join(t.TempDir(), "image.iso"), "--compression", compression)
		if o.status != 0 {
			t.Fatalf("%s: status %d\n%s", compression, o.status, o.stderr)
		}
		warning := "/bzImage cannot read a store compressed with zstd:3: it was built without CONFIG_SQUASHFS_ZSTD\nhint: choose a compression that it can read (gzip, lz4), "
		if strings.Contains(o.stderr, warning) != warns || strings.Contains(o.stderr, "warning: ") != warns {
			t.Errorf("%s: standard error is\n%s", compression, o.stderr)
		}
	}
	o := livebuild(t, "bench", flake+"#mini", "--compression", "zstd:3", "--compression", "lz4", "--sample", "5")
	if o.status != 0 || !strings.Contains(o.stdout, "not read by its kernel") {
		t.Errorf("status %d\n%s%s", o.status, o.stderr, o.stdout)
	}
}
