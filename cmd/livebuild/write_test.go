package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/testdisk"
	"github.com/livebuild/livebuild/pkg/gpt"
)

const mib = 1 << 20

// stick is a loop device that stands for a stick.
type stick struct {
	file string // what it holds
	path string // in /dev
	name string // in /dev/disk/by-id
}

func newStick(t testing.TB, size int64, args ...string) stick {
	t.Helper()
	return stickOf(t, testdisk.Sparse(t, size), args...)
}

func stickOf(t testing.TB, file string, args ...string) stick {
	t.Helper()
	path := testdisk.Loop(t, file, args...)
	return stick{file, path, testdisk.StableName(t, path)}
}

// imageFile writes an image of that many bytes: a disk with one partition, of
// which only the table means something.
func imageFile(t testing.TB, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{9}).Read(content)
	disk := gpt.MBR{Partitions: [4]gpt.Record{{Type: 0x83, Start: 2048, Sectors: uint32(size/512 - 2048)}}}
	copy(content, disk.Bytes())
	path = filepath.Join(t.TempDir(), "an image.iso")
	writeFile(t, path, content)
	return path, content
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s stick) check(t testing.TB, content []byte) {
	t.Helper()
	if !bytes.HasPrefix(readFile(t, s.file), content) {
		t.Errorf("%s does not hold the image", s.path)
	}
}

// checkUntouched checks that nothing was written to a new stick.
func (s stick) checkUntouched(t testing.TB) {
	t.Helper()
	if len(bytes.Trim(readFile(t, s.file), "\x00")) > 0 {
		t.Errorf("%s was written to", s.path)
	}
}

func sha256Of(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// TestWriteRefuses gives 'livebuild write' what it must not write.
func TestWriteRefuses(t *testing.T) {
	image, content := imageFile(t, 3*mib)
	good := newStick(t, 8*mib)
	small := newStick(t, 3*mib-512)
	readOnly := newStick(t, 8*mib, "--read-only")
	folder := t.TempDir()
	regular := filepath.Join(folder, "regular")
	writeFile(t, regular, []byte("precious"))
	absent := fmt.Sprintf("/dev/livebuild-absent-%d", os.Getpid())

	parted := newStick(t, 16*mib)
	partition := testdisk.Partition(t, parted.path, 1, 2048, 20480)

	fileSystem := testdisk.Sparse(t, 16*mib)
	judge(t, "e2fsprogs", "mkfs.ext4", "-q", fileSystem)
	mounted := stickOf(t, fileSystem)
	point := t.TempDir()
	judge(t, "mount", "mount", mounted.path, point)
	t.Cleanup(func() { _ = syscall.Unmount(point, syscall.MNT_DETACH) })

	member := newStick(t, 16*mib)
	f, err := os.OpenFile(member.file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// An uberblock of ZFS, in its first label.
	if _, err := f.WriteAt([]byte{0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0}, 132<<10); err != nil {
		t.Fatal(err)
	}
	f.Close()

	compressed := filepath.Join(folder, "image.iso.zst")
	judge(t, "zstd", "zstd", "-q", image, "-o", compressed)
	cut := filepath.Join(folder, "cut.iso.zst")
	whole := readFile(t, compressed)
	writeFile(t, cut, whole[:len(whole)-10])
	summed := filepath.Join(folder, "summed.iso")
	writeFile(t, summed, content)
	writeFile(t, summed+".sha256", []byte(strings.Repeat("0", 64)+"  summed.iso\n"))
	empty := filepath.Join(folder, "empty.iso")
	writeFile(t, empty, nil)
	system := systemDisk(t)

	for name, test := range map[string]struct {
		args   []string
		status int
		texts  []string
	}{
		"nothing":             {nil, 2, []string{"which image"}},
		"no device":           {[]string{image}, 2, []string{"which disk"}},
		"unknown flag":        {[]string{image, good.name, "--fast"}, 2, []string{"--fast"}},
		"no time":             {[]string{image, good.name, "--stall-timeout", "soon"}, 2, []string{"--stall-timeout", "90s"}},
		"no time at all":      {[]string{image, good.name, "--stall-timeout", "0s"}, 2, []string{"--stall-timeout"}},
		"verify and not":      {[]string{image, good.name, "--verify-only", "--no-verify"}, 2, []string{"--verify-only"}},
		"bad sum":             {[]string{image, good.name, "--sha256", "abc"}, 2, []string{"--sha256", "64"}},
		"a disk twice":        {[]string{image, good.name, good.path, "--yes"}, 2, []string{good.name, good.path, "one disk"}},
		"absent image":        {[]string{absent, good.name, "--yes"}, 1, []string{absent, "no such file"}},
		"image is a folder":   {[]string{folder, good.name, "--yes"}, 1, []string{folder, "not a regular file"}},
		"image is empty":      {[]string{empty, good.name, "--yes"}, 1, []string{empty, "empty"}},
		"image is cut":        {[]string{cut, good.name, "--yes"}, 1, []string{cut, "damaged zstd"}},
		"sum beside":          {[]string{summed, good.name, "--yes"}, 1, []string{summed, sha256Of(content), summed + ".sha256"}},
		"sum given":           {[]string{image, good.name, "--yes", "--sha256", strings.Repeat("0", 64)}, 1, []string{image, "--sha256"}},
		"absent device":       {[]string{image, absent, "--yes"}, 1, []string{absent + " does not exist", "livebuild devices"}},
		"regular file":        {[]string{image, regular, "--yes"}, 1, []string{regular + " is a regular file"}},
		"folder":              {[]string{image, folder, "--yes"}, 1, []string{"is a folder"}},
		"character device":    {[]string{image, "/dev/null", "--yes"}, 1, []string{"/dev/null is a character device"}},
		"partition":           {[]string{image, partition, "--yes"}, 1, []string{partition + " is a partition of " + parted.path}},
		"mounted":             {[]string{image, mounted.name, "--yes"}, 1, []string{mounted.path + " is mounted at " + point, "--unmount"}},
		"member":              {[]string{image, member.name, "--yes"}, 1, []string{"ZFS", "wipefs --all " + member.path}},
		"read-only":           {[]string{image, readOnly.name, "--yes"}, 1, []string{readOnly.path + " is read-only", "switch"}},
		"too small":           {[]string{image, small.name, "--yes"}, 1, []string{small.path, "3145216", "3145728"}},
		"too small, unpacked": {[]string{compressed, small.name, "--yes"}, 1, []string{small.path, "3145216", "3145728"}},
		"the system":          {[]string{image, system, "--yes"}, 1, []string{system, "running system"}},
		"the system, named":   {[]string{image, testdisk.StableName(t, system), "--yes", "--unmount"}, 1, []string{system, "running system"}},
		"changing name":       {[]string{image, good.path, "--yes"}, 1, []string{good.path, "--yes", "/dev/disk/by-id/"}},
		"wrong serial":        {[]string{image, good.path, "--serial", "X1", "--yes"}, 1, []string{good.path, "X1", "livebuild devices"}},
		"absent serial":       {[]string{image, "--serial", "X1", "--yes"}, 1, []string{`"X1"`, "livebuild devices"}},
		"nobody to ask":       {[]string{image, good.path}, 1, []string{good.path, "terminal", "--yes", "/dev/disk/by-id/"}},
		"one of two":          {[]string{image, good.name, readOnly.name, "--yes"}, 1, []string{readOnly.path}},
	} {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, livebuild(t, append([]string{"write"}, test.args...)...), test.status, test.texts...)
		})
	}
	good.checkUntouched(t)
	small.checkUntouched(t)
	if _, err := os.Lstat(absent); err == nil {
		t.Errorf("%s was made", absent)
	}
	if string(readFile(t, regular)) != "precious" {
		t.Error("the regular file was written to")
	}
}

// systemDisk is the disk that the root of the file system is on.
func systemDisk(t testing.TB) string {
	t.Helper()
	for _, d := range devices(t) {
		if d.System {
			return d.Path
		}
	}
	t.Fatal("no disk holds the running system")
	return ""
}

// listed is what 'livebuild devices --json' says of a disk.
type listed struct {
	Path        string
	Size        int64
	SectorSize  int `json:"sector_size"`
	Bus         string
	Model       string
	System      bool
	Writable    bool
	ReadOnly    bool `json:"read_only"`
	IDs         []string
	Mountpoints []string
	Partitions  []struct {
		Path    string
		Content string
	}
}

func devices(t testing.TB) []listed {
	t.Helper()
	o := livebuild(t, "devices", "--json")
	var list []listed
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || o.status != 0 {
		t.Fatalf("livebuild devices --json: status %d, %v\n%s%s", o.status, err, o.stdout, o.stderr)
	}
	return list
}

// TestDevices looks for loop devices in the list.
func TestDevices(t *testing.T) {
	parted := newStick(t, 16*mib)
	partition := testdisk.Partition(t, parted.path, 1, 2048, 20480)
	judge(t, "e2fsprogs", "mkfs.ext4", "-q", partition)
	point := t.TempDir()
	judge(t, "mount", "mount", partition, point)
	t.Cleanup(func() { _ = syscall.Unmount(point, syscall.MNT_DETACH) })
	plain := newStick(t, 8*mib, "--sector-size", "4096")

	list := devices(t)
	find := func(path string) listed {
		for _, d := range list {
			if d.Path == path {
				return d
			}
		}
		t.Fatalf("%s is not listed", path)
		return listed{}
	}
	if d := find(plain.path); d.Size != 8*mib || d.SectorSize != 4096 || d.Bus != "loop" || !d.Writable || d.Model != plain.file || !slices.Equal(d.IDs, []string{plain.name}) {
		t.Errorf("the stick is %+v", d)
	}
	if d := find(parted.path); d.Writable || !slices.Equal(d.Mountpoints, []string{point}) ||
		len(d.Partitions) != 1 || d.Partitions[0].Path != partition || d.Partitions[0].Content != "ext4" {
		t.Errorf("the mounted stick is %+v", d)
	}
	if last := list[len(list)-1]; !last.System || last.Writable {
		t.Errorf("the last one is %+v, want a disk of the running system", last)
	}
	o := livebuild(t, "devices")
	for _, text := range []string{"DISK", plain.path, "8.4 MB", partition + " is mounted at " + point, "the running system"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("the table lacks %q:\n%s", text, o.stdout)
		}
	}
}

// line is a line of 'livebuild write --json'.
type line struct {
	Event, Device, Phase string
	Done, Total          int64
	OK, Verified         bool
	Written, Equal       int64
	Error                string
	Offset               *int64
}

func linesOf(t testing.TB, o outcome) (progress, results []line) {
	t.Helper()
	for text := range strings.Lines(o.stdout) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if l.Event == "result" {
			results = append(results, l)
		} else {
			progress = append(progress, l)
		}
	}
	return progress, results
}

// TestWrite writes an image in all forms, to several sticks at once.
func TestWrite(t *testing.T) {
	image, content := imageFile(t, 9*mib+700)
	for form, command := range map[string]string{"plain": "cat", "gzip": "gzip -c", "zstd": "zstd -qc", "xz": "xz -1c"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			file := filepath.Join(folder, "my image")
			judge(t, "dash", "sh", "-euc", command+` < "$1" > "$2"`, "sh", image, file)
			writeFile(t, filepath.Join(folder, "SHA256SUMS"), []byte(sha256Of(readFile(t, file))+"  my image\n"))
			first, second := newStick(t, 16*mib), newStick(t, 12*mib, "--sector-size", "4096")
			o := livebuild(t, "write", file, first.name, second.name, "--yes")
			if o.status != 0 || o.stdout != "" {
				t.Errorf("status %d, standard output %q", o.status, o.stdout)
			}
			for _, text := range []string{"checked my image", "SHA256SUMS", first.path + ": wrote 9.4 MB, verified", second.path + ": wrote 9.4 MB, verified",
				"warning: " + second.path + " has sectors of 4096 bytes"} {
				if !strings.Contains(o.stderr, text) {
					t.Errorf("standard error lacks %q", text)
				}
			}
			if t.Failed() {
				t.Log(o.stderr)
			}
			first.check(t, content)
			second.check(t, content)
			o = livebuild(t, "write", file, first.path, second.path, "--verify-only")
			if o.status != 0 || strings.Count(o.stderr, "holds the image") != 2 {
				t.Errorf("--verify-only: status %d\n%s", o.status, o.stderr)
			}
		})
	}
}

// TestWriteJSON reads the lines for scripts.
func TestWriteJSON(t *testing.T) {
	image, content := imageFile(t, 9*mib)
	s := newStick(t, 16*mib)
	o := livebuild(t, "write", image, s.name, "--yes", "--json")
	progress, results := linesOf(t, o)
	phases := map[string]bool{}
	for _, l := range progress {
		phases[l.Phase] = true
		if l.Device != s.path || l.Total != 9*mib || l.Done < 0 || l.Done > l.Total {
			t.Errorf("line %+v", l)
		}
	}
	if !phases["writing"] || !phases["syncing"] || !phases["verifying"] || len(phases) != 3 {
		t.Errorf("phases are %v", phases)
	}
	if len(results) != 1 || !results[0].OK || !results[0].Verified || results[0].Written != 9*mib {
		t.Errorf("results are %+v", results)
	}
	s.check(t, content)

	at := int64(5*mib + 4321)
	damaged := bytes.Clone(content)
	damaged[at] ^= 0xFF
	other := filepath.Join(t.TempDir(), "other")
	writeFile(t, other, damaged)
	o = livebuild(t, "write", other, s.path, "--verify-only", "--json")
	_, results = linesOf(t, o)
	if o.status != 1 || len(results) != 1 || results[0].OK || results[0].Offset == nil || *results[0].Offset != at {
		t.Errorf("status %d, results %+v, want the offset %d", o.status, results, at)
	}
	o = livebuild(t, "write", image, s.name, "--yes", "--json", "--no-verify")
	if progress, results := linesOf(t, o); o.status != 0 || results[0].Verified || slices.ContainsFunc(progress, func(l line) bool { return l.Phase == "verifying" }) {
		t.Errorf("--no-verify: status %d, %+v, %+v", o.status, progress, results)
	}
}

// TestWriteSeveral has one of three sticks fail.
func TestWriteSeveral(t *testing.T) {
	image, content := imageFile(t, 20*mib)
	for name, test := range map[string]struct {
		fault func(*testdisk.Faulty)
		texts []string
	}{
		"bad blocks":  {func(f *testdisk.Faulty) { f.FailWrites(8*mib, 12*mib, syscall.EIO) }, []string{"at byte 8388608: input/output error", "broken"}},
		"full":        {func(f *testdisk.Faulty) { f.FailWrites(8*mib, 12*mib, syscall.ENOSPC) }, []string{"at byte 8388608: no space left on device"}},
		"flipped bit": {func(f *testdisk.Faulty) { f.Flip(10*mib + 1) }, []string{"differs from the image at byte 10485761"}},
		"silent":      {func(f *testdisk.Faulty) { f.OnWrite(func(int64, []byte) { f.Stall() }) }, []string{"does not answer", "--stall-timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulty := testdisk.NewFaulty(t, 32*mib)
			sticks := []stick{newStick(t, 32*mib), stickOf(t, faulty.Path), newStick(t, 32*mib)}
			test.fault(faulty)
			r := call{}.start(t, "write", image, sticks[0].name, sticks[1].name, sticks[2].name, "--yes", "--stall-timeout", "15s")
			// A process does not end as long as the kernel waits for a disk.
			for deadline := time.Now().Add(patience); !strings.Contains(r.stderr.String(), "hint: "); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("there is no verdict:\n%s", r.stderr.String())
				}
			}
			faulty.Behave()
			o := r.wait(t)
			checkRefusal(t, o, 1, append(test.texts, "1 of 3 disks failed", sticks[1].path+": failed: ",
				sticks[0].path+": wrote 21.0 MB, verified", sticks[2].path+": wrote 21.0 MB, verified")...)
			sticks[0].check(t, content)
			sticks[2].check(t, content)
		})
	}
}
