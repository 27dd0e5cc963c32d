package stamp

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
)

// Where the places of a test lie on its medium.
const (
	blockAt = 2048
	menuAt  = 8192
)

// menuWithGaps is a menu of isolinux with two entries.
func menuWithGaps() string {
	gap := string(medium.GapOf("")) + medium.ParamsMark
	return "LABEL one\nLINUX /kernel\nAPPEND init=/one" + gap + "\nLABEL two\nLINUX /kernel\nAPPEND init=/two quiet" + gap
}

// media is what a test has of a medium.
type media struct{ block, menu []byte }

func (m media) params(t testing.TB) *params {
	t.Helper()
	p, err := newParams(Patch{medium.StampParams, blockAt, m.block}, Patch{isolinuxMenu, menuAt, m.menu})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// with is the medium with patches, of which the first is left out: the area's.
func (m media) with(t testing.TB, patches []Patch) media {
	t.Helper()
	m = media{bytes.Clone(m.block), bytes.Clone(m.menu)}
	for _, p := range patches[1:] {
		to := m.menu[max(0, p.Offset-menuAt):]
		if p.Name == medium.StampParams {
			to = m.block[p.Offset-blockAt:]
		}
		if n := copy(to, p.Data); n != len(p.Data) {
			t.Fatalf("%d bytes at %d do not fit", len(p.Data), p.Offset)
		}
	}
	return m
}

// TestParams puts words onto command lines, reads them by GRUB's own program, and takes them away.
func TestParams(t *testing.T) {
	pristine := media{medium.EnvironmentOf("", 300), []byte(menuWithGaps())}
	area := Area{Size: areaSize, params: pristine.params(t), name: "the image"}
	m := pristine
	for _, words := range [][]string{{"console=ttyS1,115200n8", "memmap=64G$8M", "a#b"}, {strings.Repeat("x", 300)}, {"quiet"}, nil} {
		items := Items{HostName: "lab", KernelParams: words}
		if err := items.Check(); err != nil {
			t.Fatal(err)
		}
		patches, err := area.Put(items, "livebuild 1")
		if err != nil {
			t.Fatal(err)
		}
		m = m.with(t, patches)
		text := strings.Join(words, " ")
		if err := m.params(t).check(text); err != nil {
			t.Errorf("%q: %v", words, err)
		}
		if s, err := Decode(patches[0].Data); err != nil || s.params() != text {
			t.Errorf("%q: the stamp is %+v, %v", words, s, err)
		}
		var lines []string
		for line := range strings.Lines(string(m.menu)) {
			if !strings.HasPrefix(line, "#") && line != "\n" {
				lines = append(lines, strings.TrimRight(line, "\n"))
			}
		}
		if want := []string{"APPEND init=/one", "APPEND init=/two quiet"}; len(lines) != 6 ||
			lines[2] != strings.TrimSpace(want[0]+" "+text) || lines[5] != strings.TrimSpace(want[1]+" "+text) {
			t.Errorf("%q: the menu is\n%s", words, strings.Join(lines, "\n"))
		}
		if len(m.menu) != len(pristine.menu) {
			t.Errorf("%q: the menu has %d bytes", words, len(m.menu))
		}
		block := filepath.Join(t.TempDir(), "block")
		if err := os.WriteFile(block, m.block, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(judge.Path(t, "grub-common", "grub-editenv"), block, "list").CombinedOutput()
		if want := "livebuild_params=" + text + "\nlivebuild_room=300\n"; err != nil || string(out) != want {
			t.Errorf("grub-editenv says %q (%v), want %q", out, err, want)
		}
	}
	for name, broken := range map[string]media{
		"block alone": {medium.EnvironmentOf("a", 300), pristine.menu},
		"gap":         {pristine.block, bytes.Replace(pristine.menu, []byte("\n#"), []byte(" #"), 1)},
	} {
		p := broken.params(t)
		var unknown *UnknownError
		if err := p.check(""); !errors.As(err, &unknown) {
			t.Errorf("%s: %v", name, err)
		}
		area.params = p
		if got := broken.with(t, area.Clear()); !bytes.Equal(got.block, pristine.block) || !bytes.Equal(got.menu, pristine.menu) {
			t.Errorf("%s: it is not as it was built:\n%s", name, got.menu)
		}
	}
}

// TestParamsRefused has no place for words, or finds that those are not where livebuild makes them.
func TestParamsRefused(t *testing.T) {
	var none *NoParamsError
	if _, err := (Area{Size: areaSize, name: "x.iso"}).Put(Items{KernelParams: []string{"quiet"}}, ""); !errors.As(err, &none) || none.Name != "x.iso" {
		t.Errorf("an image without places: %v", err)
	}
	pristine := media{medium.EnvironmentOf("", 4), []byte(menuWithGaps())}
	var large *ParamsError
	if _, err := (Area{Size: areaSize, params: pristine.params(t)}).Put(Items{KernelParams: []string{"quiet"}}, ""); !errors.As(err, &large) || large.Room != 4 {
		t.Errorf("more words than there is room: %v", err)
	}
	for want, m := range map[string]media{
		"how much room":  {bytes.Repeat([]byte("#"), 1024), nil},
		"has 1025 bytes": {append(medium.EnvironmentOf("", 4), '#'), nil},
		"before its":     {pristine.block, []byte(medium.ParamsMark)},
	} {
		var unknown *UnknownError
		_, err := newParams(Patch{medium.StampParams, blockAt, m.block}, Patch{isolinuxMenu, menuAt, m.menu})
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	for want, word := range map[string]string{
		"no word": "two words", "word of ASCII": "größe", "quotation": `a="b"`, "backslash": `a\b`, "names of files": "a*", "loaders": "initrd=/x", "is no word of": "",
	} {
		var wrong *ItemError
		if err := (Items{KernelParams: []string{word}}).Check(); !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", word, err, want)
		}
	}
	s, err := Decode(encode(t, Items{KernelParams: []string{"quiet"}}))
	if err != nil || s.params() != "quiet" || len(s.Items) != 1 {
		t.Errorf("a stamp with words alone: %+v, %v", s, err)
	}
}

// FuzzParams finds places, or refuses, and what is in them lies in the menu.
func FuzzParams(f *testing.F) {
	f.Add(medium.EnvironmentOf("", 300), []byte(menuWithGaps()))
	f.Add(medium.EnvironmentOf("quiet", 509), []byte(strings.Repeat("#", 512)+medium.ParamsMark+medium.ParamsMark))
	f.Fuzz(func(t *testing.T, block, menu []byte) {
		p, err := newParams(Patch{medium.StampParams, blockAt, block}, Patch{isolinuxMenu, menuAt, menu})
		var unknown *UnknownError
		if err != nil {
			if !errors.As(err, &unknown) {
				t.Errorf("%v", err)
			}
			return
		}
		m := media{block, menu}
		cleared := m.with(t, Area{Size: MinArea, params: p}.Clear())
		if err := cleared.params(t).check(""); err != nil {
			t.Errorf("what was cleared: %v", err)
		}
	})
}
