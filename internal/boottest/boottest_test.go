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

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
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

// open reads an image in a file.
func open(t *testing.T, path string) *medium.File {
	t.Helper()
	m, err := medium.Open(t.Context(), path, medium.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// machines are those of an image's modes, in which the processor is emulated.
func machines(t *testing.T, modes ...medium.Mode) Machines {
	t.Helper()
	judge.QEMU(t)
	m, err := Complete(t.Context(), qemu.Machine{Arch: qemu.X86_64, Accel: qemu.TCG, MemoryMiB: 64}, modes)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// speaking is a menu that makes isolinux itself use the serial port.
func speaking(menu string) map[string]string {
	return map[string]string{"isolinux/isolinux.cfg": "SERIAL 0\n" + menu}
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
			speaking("DEFAULT a\nLABEL a\nLINUX /boot/absent\n"), "^ISOLINUX 6", "", true, qemu.Passed, false,
			Changed{medium.BIOSCD, []string{"isolinux/isolinux.cfg"}},
		},
		"what is rejected": {
			speaking("DEFAULT a\nLABEL a\nLINUX /boot/absent\n"), "^never", "^ISOLINUX 6", false, qemu.Rejected, false,
			Changed{medium.BIOSCD, []string{"isolinux/isolinux.cfg"}},
		},
		"the loader gives up": {
			speaking("DEFAULT a\nLABEL a\nLINUX /boot/absent\n"), "^never", "", false, qemu.LoaderPrompt, false,
			Changed{medium.BIOSCD, []string{"isolinux/isolinux.cfg"}},
		},
		"unknown, and heard": {
			speaking(silent), "^ISOLINUX 6", "", true, qemu.Passed, false, Unknown{medium.BIOSCD, "no entry of its boot menu starts a kernel"},
		},
		"unknown, and the firmware heard": {
			speaking(silent), "^never", "", false, qemu.NoBootDevice, false, Unknown{medium.BIOSCD, "no entry of its boot menu starts a kernel"},
		},
		"unknown, and silent": {
			speaking("DEFAULT menu.c32\nUI menu.c32\n" + silent), "^never", "^never", false, qemu.TimedOut, true,
			Unknown{medium.BIOSCD, "no entry of its boot menu starts a kernel"},
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
				Machines: machines(t, medium.BIOSCD), Expect: regexp.MustCompile(test.expect), Limit: 5 * time.Minute, Progress: sink,
				Done: func(r *Result) { told = append(told, r) },
			}
			if test.reject != "" {
				opts.Reject = regexp.MustCompile(test.reject)
			}
			if test.unheard {
				opts.Limit = 20 * time.Second
			}
			results, err := Run(t.Context(), img, []medium.Mode{medium.BIOSCD}, opts)
			if err != nil || len(results) != 1 || len(told) != 1 || told[0] != &results[0] {
				t.Fatalf("Run = %+v, %v, told %d, want one result", results, err, len(told))
			}
			r := results[0]
			var unheard *UnheardError
			if r.Passed() != test.passed || r.Verdict.Outcome != test.outcome || errors.As(r.Err, &unheard) != test.unheard || (r.Err != nil) != test.unheard {
				t.Errorf("result = %v, %v, passed: %t, want %v, unheard: %t", r.Verdict, r.Err, r.Passed(), test.outcome, test.unheard)
			}
			if !strings.Contains(string(r.Log), "ISOLINUX 6") {
				t.Errorf("the log is %q", r.Log)
			}
			facts := sink.facts
			if test.outcome == qemu.Rejected { // since the processor is emulated
				if again, ok := facts[len(facts)-1].(Again); !ok || again.Outcome != "rejected" {
					t.Errorf("told: %+v, want that it is tried again", facts)
				}
				facts = facts[:len(facts)-1]
			}
			if len(facts) != 1 || sink.begun != 1 || !equalFacts(facts[0], test.fact) {
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
	img := open(t, isolinuxISO(t, speaking("DEFAULT a\nLABEL a\nLOCALBOOT -1\n")))
	modes := []medium.Mode{medium.BIOSCD}
	m := machines(t, modes...)
	enough := errors.New("enough of it")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	if _, err := Run(ctx, img, modes, Options{Machines: m}); !errors.Is(err, enough) {
		t.Errorf("Run error = %v, want %v", err, enough)
	}
	broken := m[medium.BIOSCD]
	broken.Program = "/absent/qemu"
	results, err := Run(t.Context(), img, modes, Options{Machines: Machines{medium.BIOSCD: broken}})
	if err != nil || len(results) != 1 || !errors.Is(results[0].Err, os.ErrNotExist) || results[0].Passed() {
		t.Errorf("Run = %+v, %v, want a result with an error", results, err)
	}
}
