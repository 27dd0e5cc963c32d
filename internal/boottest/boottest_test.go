package boottest

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/qemu"
)

// events keeps the facts that are told.
type events struct {
	mu    sync.Mutex
	facts []any
	begun int
}

func (e *events) Send(event progress.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch event.Kind {
	case progress.Noted:
		e.facts = append(e.facts, event.Fact)
	case progress.Began:
		e.begun++
	}
}

// open inspects an image in a file.
func open(t *testing.T, path string) Image {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	i, err := image.Inspect(file)
	if err != nil {
		t.Fatal(err)
	}
	return Image{Path: path, Name: "image", Inspection: i}
}

// machines are those of an image's modes, in which the processor is emulated.
func machines(t *testing.T, modes ...image.Mode) Machines {
	t.Helper()
	judge.QEMU(t)
	m, err := Complete(t.Context(), qemu.Machine{Arch: qemu.X86_64, Accel: qemu.TCG, MemoryMiB: 64}, modes)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// says is a menu of isolinux' that says something on the serial port, and then does.
func says(text, does string) map[string]string {
	return map[string]string{"isolinux/isolinux.cfg": "SERIAL 0\nSAY " + text + "\n" + does}
}

// TestRun judges loaders that speak for themselves, which takes no kernel.
func TestRun(t *testing.T) {
	const silent = "DEFAULT a\nLABEL a\nLOCALBOOT -1\n"
	for name, test := range map[string]struct {
		menu    map[string]string
		expect  string
		reject  string
		passed  bool
		outcome qemu.Outcome
		unheard bool
		fact    any
	}{
		"what is expected": {
			says("hello", "DEFAULT a\nLABEL a\nLINUX /boot/absent\n"), "^hello", "", true, qemu.Passed, false,
			Changed{image.BIOSCD, []string{"isolinux/isolinux.cfg"}},
		},
		"what is rejected": {
			says("hello", "DEFAULT a\nLABEL a\nLINUX /boot/absent\n"), "^never", "^hello", false, qemu.Rejected, false,
			Changed{image.BIOSCD, []string{"isolinux/isolinux.cfg"}},
		},
		"the loader gives up": {
			says("hello", "DEFAULT a\nLABEL a\nLINUX /boot/absent\n"), "^never", "", false, qemu.LoaderPrompt, false,
			Changed{image.BIOSCD, []string{"isolinux/isolinux.cfg"}},
		},
		"unknown, and heard": {
			says("hello", silent), "^hello", "", true, qemu.Passed, false, Unknown{image.BIOSCD, "no entry of its boot menu starts a kernel"},
		},
		"unknown, and the firmware heard": {
			says("hello", silent), "^never", "", false, qemu.NoBootDevice, false, Unknown{image.BIOSCD, "no entry of its boot menu starts a kernel"},
		},
		"unknown, and silent": {
			says("hello", "DEFAULT menu.c32\nUI menu.c32\n"+silent), "^never", "^never", false, qemu.TimedOut, true,
			Unknown{image.BIOSCD, "no entry of its boot menu starts a kernel"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "unknown, and silent" { // it waits in its menu
				test.menu["isolinux/menu.c32"] = readFile(t, judge.File(t, "syslinux-common", "/usr/lib/syslinux/modules/bios/menu.c32"))
				test.menu["isolinux/libutil.c32"] = readFile(t, judge.File(t, "syslinux-common", "/usr/lib/syslinux/modules/bios/libutil.c32"))
			}
			test.menu["isolinux/ldlinux.c32"] = readFile(t, judge.File(t, "syslinux-common", "/usr/lib/syslinux/modules/bios/ldlinux.c32"))
			img := open(t, isolinuxISO(t, test.menu))
			sink := &events{}
			var told []*Result
			opts := Options{
				Machines: machines(t, image.BIOSCD), Expect: regexp.MustCompile(test.expect), Limit: 5 * time.Minute, Progress: sink,
				Done: func(r *Result) { told = append(told, r) },
			}
			if test.reject != "" {
				opts.Reject = regexp.MustCompile(test.reject)
			}
			if test.unheard {
				opts.Limit = 20 * time.Second
			}
			results, err := Run(t.Context(), img, []image.Mode{image.BIOSCD}, opts)
			if err != nil || len(results) != 1 || len(told) != 1 || told[0] != &results[0] {
				t.Fatalf("Run = %+v, %v, told %d, want one result", results, err, len(told))
			}
			r := results[0]
			var unheard *UnheardError
			if r.Passed() != test.passed || r.Verdict.Outcome != test.outcome || errors.As(r.Err, &unheard) != test.unheard || (r.Err != nil) != test.unheard {
				t.Errorf("result = %v, %v, passed: %t, want %v, unheard: %t", r.Verdict, r.Err, r.Passed(), test.outcome, test.unheard)
			}
			if !strings.Contains(string(r.Log), "hello") {
				t.Errorf("the log is %q", r.Log)
			}
			if len(sink.facts) != 1 || sink.begun != 1 || !equalFacts(sink.facts[0], test.fact) {
				t.Errorf("told: %+v, want %+v", sink.facts, test.fact)
			}
		})
	}
}

func equalFacts(a, b any) bool {
	changed, ok := a.(Changed)
	if !ok {
		return a == b
	}
	want, ok := b.(Changed)
	return ok && changed.Mode == want.Mode && slices.Equal(changed.Menus, want.Menus)
}

// TestRunEnds ends boots by their context, and has one that cannot be tried.
func TestRunEnds(t *testing.T) {
	img := open(t, isolinuxISO(t, says("hello", "DEFAULT a\nLABEL a\nLOCALBOOT -1\n")))
	modes := []image.Mode{image.BIOSCD}
	m := machines(t, modes...)
	enough := errors.New("enough of it")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	if _, err := Run(ctx, img, modes, Options{Machines: m}); !errors.Is(err, enough) {
		t.Errorf("Run error = %v, want %v", err, enough)
	}
	img.Path = "/absent.iso"
	results, err := Run(t.Context(), img, modes, Options{Machines: m})
	if err != nil || len(results) != 1 || !errors.Is(results[0].Err, os.ErrNotExist) || results[0].Passed() {
		t.Errorf("Run = %+v, %v, want a result with an error", results, err)
	}
}
