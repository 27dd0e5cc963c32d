package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSplit writes an image in parts: joined by cat they are the image, its checksums are what
// sha256sum wants, and to the verbs the first part is the image.
func TestSplit(t *testing.T) {
	t.Parallel()
	made := miniISO(t)
	folder := t.TempDir()
	split := func(size string, more ...string) (r struct {
		result
		Parts []struct {
			File   string
			Size   int64
			SHA256 string
		}
		Checksums string
	}) {
		t.Helper()
		args := append([]string{"iso", miniFlake(t) + "#mini", "-o", "x.iso", "--split", size, "--json"}, more...)
		o := call{dir: folder}.livebuild(t, args...)
		if o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	names := func() (list []string) {
		t.Helper()
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	joined := func() string {
		t.Helper()
		return judge(t, "bash", "bash", "-c", `cd "$1" && cat x.iso.part* > x.iso && sha256sum --check x.iso.sha256 && sha256sum < x.iso && rm x.iso`, "bash", folder)
	}

	const size = 8 << 20
	summary := filepath.Join(t.TempDir(), "summary.md")
	writeFile(t, summary, []byte("before\n\n"))
	r := split("8MiB", "--reuse", made.File, "--summary", summary)
	count := int((made.Size + size - 2048 - 1) / (size - 2048))
	if len(r.Parts) != count || r.SHA256 != made.SHA256 || r.Size != made.Size || r.File != r.Parts[0].File || r.File != filepath.Join(folder, "x.iso.part00") {
		t.Fatalf("%+v, want %d parts", r, count)
	}
	if got := string(readFile(t, summary)); !strings.HasPrefix(got, "before\n\n### x.iso.part00\n") || !strings.Contains(got, made.SHA256) {
		t.Errorf("the summary is\n%s", got)
	}
	for i, part := range r.Parts {
		if part.Size >= size || i < count-1 && part.Size != size-2048 {
			t.Errorf("%s has %d bytes", part.File, part.Size)
		}
	}
	if got := joined(); !strings.Contains(got, made.SHA256) || strings.Count(got, ": OK") != count+1 {
		t.Errorf("the parts are joined to something else:\n%s", got)
	}

	for _, args := range [][]string{
		{"verify", r.File}, {"verify", r.File, "--sha256", made.SHA256}, {"inspect", r.File}, {"ls", r.File, "/"},
	} {
		if o := livebuild(t, args...); o.status != 0 {
			t.Errorf("%q: status %d\n%s", args, o.status, o.stderr)
		}
	}
	one, parted := livebuild(t, "inspect", made.File, "--json"), livebuild(t, "inspect", r.File, "--json")
	if strings.ReplaceAll(parted.stdout, r.File, made.File) != one.stdout {
		t.Errorf("inspect tells\n%s, of the image in one piece\n%s", parted.stdout, one.stdout)
	}

	// The next image is packed from the parts, and takes their place; none is left of a longer set.
	again := split("30MiB", "--summary", summary)
	if got := string(readFile(t, summary)); !strings.Contains(got, "**the earlier x.iso.part00 → x.iso:** no difference; ") || !strings.Contains(got, "the same, byte by byte") {
		t.Errorf("the summary of the next one is\n%s", got)
	}
	if again.SHA256 != made.SHA256 || *again.ReusedBytes == 0 || len(again.Parts) != 2 {
		t.Errorf("%+v", again)
	}
	if got, want := names(), []string{"x.iso.part00", "x.iso.part01", "x.iso.sha256"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := joined(); !strings.Contains(got, made.SHA256) {
		t.Errorf("the parts are joined to something else:\n%s", got)
	}

	// Parts and checksums that are not livebuild's stay.
	for file, text := range map[string]string{"x.iso.part00": "mine", "x.iso.sha256": fmt.Sprintf("%064d  another.iso\n", 1)} {
		path := filepath.Join(folder, file)
		before := readFile(t, path)
		writeFile(t, path, []byte(text))
		o := call{dir: folder}.livebuild(t, "iso", miniFlake(t)+"#mini", "-o", "x.iso", "--split", "8MiB")
		for _, fault := range refusalFaults(o, 1, []string{file}) {
			t.Errorf("%s: %s", file, fault)
		}
		writeFile(t, path, before)
	}
}

// TestSplitWrite writes an image in parts onto a stick, and starts a machine from it.
func TestSplitWrite(t *testing.T) {
	made := miniISO(t)
	folder := t.TempDir()
	judge(t, "coreutils", "split", "--numeric-suffixes", "--bytes=9M", made.File, filepath.Join(folder, "x.iso."))
	first := filepath.Join(folder, "x.iso.00")
	s := newStick(t, 64*mib)
	o := livebuild(t, "write", first, s.name, "--yes")
	if o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	s.check(t, readFile(t, made.File))

	// Other programs read one file.
	o = livebuild(t, "run", first, "--print")
	if o.status != 0 || strings.Contains(o.stdout, first) {
		t.Errorf("status %d: %s%s", o.status, o.stdout, o.stderr)
	}
}
