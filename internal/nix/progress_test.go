package nix

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// watch feeds lines to a monitor and returns the progress that it reported.
func watch(m *monitor, lines ...string) []Progress {
	var seen []Progress
	m.options.Progress = func(p Progress) { seen = append(seen, p) }
	_, _ = m.Write([]byte(strings.Join(lines, "\n") + "\n"))
	return seen
}

func last(t *testing.T, seen []Progress) Progress {
	t.Helper()
	if len(seen) == 0 {
		t.Fatal("no progress was reported")
	}
	return seen[len(seen)-1]
}

const (
	startRealise = `@nix {"action":"start","id":34604551503873,"level":0,"text":"","type":102}`
	startBuilds  = `@nix {"action":"start","id":34604551503874,"level":0,"text":"","type":104}`
	startBuild   = `@nix {"action":"start","fields":["/nix/store/4h03l4lndi2r8pb6gidk3jslgbv1w222-leaf-1.drv","",1,1],"id":34604551503877,"level":3,"text":"building","type":105}`
	stopBuild    = `@nix {"action":"stop","id":34604551503877}`
)

func TestProgressBuilds(t *testing.T) {
	m := newMonitor(Building, Options{})
	p := last(t, watch(m, startRealise, startBuilds, startBuild,
		`@nix {"action":"result","fields":[0,2,1,0],"id":34604551503874,"type":105}`,
		`@nix {"action":"result","fields":["buildPhase"],"id":34604551503877,"type":104}`,
		`@nix {"action":"result","fields":["\u001b[1mcompiling\u001b[0m\r"],"id":34604551503877,"type":101}`))
	want := Progress{Phase: Building, Builds: Count{Done: 0, Expected: 2, Running: 1}, Jobs: []Job{{Name: "leaf-1", Line: "compiling"}}}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("progress = %+v, want %+v", p, want)
	}
	// The second build cannot be done any more.
	p = last(t, watch(m, `@nix {"action":"result","fields":[0,1,0,1],"id":34604551503874,"type":105}`, stopBuild))
	want = Progress{Phase: Building, Builds: Count{Done: 0, Expected: 2}}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("progress after a failure = %+v, want %+v", p, want)
	}
}

func TestProgressDownloads(t *testing.T) {
	m := newMonitor(Building, Options{})
	p := last(t, watch(m, startRealise,
		`@nix {"action":"result","fields":[101,1000],"id":34604551503873,"type":106}`,
		`@nix {"action":"result","fields":[100,5000],"id":34604551503873,"type":106}`,
		`@nix {"action":"start","fields":["https://a"],"id":1,"level":4,"text":"","type":101}`,
		`@nix {"action":"start","fields":["https://b"],"id":2,"level":4,"text":"","type":101}`,
		`@nix {"action":"result","fields":[600,600,0,0],"id":1,"type":105}`,
		`@nix {"action":"stop","id":1}`,
		`@nix {"action":"result","fields":[100,400,0,0],"id":2,"type":105}`,
		// The second download starts again.
		`@nix {"action":"result","fields":[0,400,0,0],"id":2,"type":105}`))
	if want := (Count{Done: 700, Expected: 1000}); p.Downloads != want {
		t.Errorf("downloads = %+v, want %+v", p.Downloads, want)
	}
}

func TestProgressEvaluation(t *testing.T) {
	m := newMonitor(Evaluating, Options{})
	line := `@nix {"action":"msg","level":4,"msg":"evaluating file '/nix/store/x-source/flake.nix'"}`
	if p := last(t, watch(m, line, line)); p.Files != 2 {
		t.Errorf("files = %d, want 2", p.Files)
	}
}

// TestMonitorUnknown feeds what later versions may send.
func TestMonitorUnknown(t *testing.T) {
	m := newMonitor(Building, Options{})
	p := last(t, watch(m, startBuilds,
		`@nix {"action":"dance","id":1}`,
		`@nix {"action":"start","id":18446744073709551615,"type":999,"fields":[{"a":[1]},null,true,1.5],"session":"x"}`,
		`@nix {"action":"result","id":18446744073709551615,"type":110,"fields":[{"a":1}]}`,
		`@nix {"action":"result","id":34604551503874,"type":105,"fields":["1",{}]}`,
		`@nix {"action":"result","id":34604551503874,"type":105,"fields":[-1]}`,
		`@nix {"action":"result","id":34604551503874,"type":105}`,
		`@nix {"action":"result","id":12345,"type":105,"fields":[1,1]}`,
		`@nix {"action":"stop","id":"one"}`,
		`@nix {"action":"msg","level":"high","msg":{}}`,
		`@nix {"action":`,
		`@nix []`,
		``,
		`@nix {"action":"result","fields":[1,3,1,0],"id":34604551503874,"type":105}`))
	if want := (Count{Done: 1, Expected: 3, Running: 1}); p.Builds != want {
		t.Errorf("builds = %+v, want %+v", p.Builds, want)
	}
}

func TestMonitorMessages(t *testing.T) {
	var got []Message
	m := newMonitor(Building, Options{Message: func(m Message) { got = append(got, m) }})
	watch(m, startBuild,
		`@nix {"action":"msg","level":1,"msg":"\u001b[35;1mwarning:\u001b[0m Git tree '/x' is dirty"}`,
		`@nix {"action":"msg","level":1,"msg":"\u001b[35;1mwarning:\u001b[0m something old"}`,
		`@nix {"action":"msg","level":0,"msg":"trace: warning: a module"}`,
		`@nix {"action":"msg","level":0,"msg":"trace: a value"}`,
		`@nix {"action":"result","fields":["a line"],"id":34604551503877,"type":101}`,
		`@nix {"action":"msg","level":0,"msg":"\u001b[31;1merror:\u001b[0m bad\n\n  at x","raw_msg":"bad"}`,
		"warning: plain", "Cloning into 'x'...")
	_, _ = m.Write([]byte("error: no newline"))
	m.flush()
	want := []Message{
		{LevelWarning, "something old"}, {LevelWarning, "a module"}, {LevelNotice, "trace: a value"},
		{LevelTalkative, "leaf-1> a line"}, {LevelError, "error: bad\n\n  at x"}, {LevelWarning, "plain"},
		{LevelNotice, "Cloning into 'x'..."}, {LevelError, "error: no newline"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("messages = %+v, want %+v", got, want)
	}
	if len(m.errors) != 2 || m.errors[0].raw != "bad" || m.errors[1].raw != "no newline" {
		t.Errorf("errors = %q", m.errors)
	}
}

func TestMonitorLongLine(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	m := newMonitor(Building, Options{})
	stream := startBuild + "\n" + `@nix {"action":"result","fields":["` + long + `"],"id":34604551503877,"type":101}` + "\n"
	for piece := range slices.Chunk([]byte(stream), 64<<10) {
		_, _ = m.Write(piece)
	}
	lines := m.logs["/nix/store/4h03l4lndi2r8pb6gidk3jslgbv1w222-leaf-1.drv"]
	if len(lines) != 1 || lines[0] != long {
		t.Errorf("log has %d lines, want the long one", len(lines))
	}
}

func FuzzMonitor(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(transcripts, "*", "*.txt"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no transcripts (%v)", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, 7)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		var before Progress
		check := func(p Progress) {
			for _, c := range [][2]Count{{before.Builds, p.Builds}, {before.Paths, p.Paths}, {before.Downloads, p.Downloads}} {
				if c[1].Done < c[0].Done || c[1].Expected < c[0].Expected || c[1].Done > c[1].Expected || c[1].Running < 0 {
					t.Errorf("progress went from %+v to %+v", before, p)
				}
			}
			before = p
		}
		whole := newMonitor(Building, Options{Progress: check})
		_, _ = whole.Write(data)
		whole.flush()
		// Where the pieces of the stream are cut does not matter.
		pieces := newMonitor(Building, Options{})
		for size, rest := max(1, min(size, 1<<16)), data; len(rest) > 0; {
			n := min(size, len(rest))
			_, _ = pieces.Write(rest[:n])
			rest = rest[n:]
		}
		pieces.flush()
		if !reflect.DeepEqual(whole.errors, pieces.errors) || !reflect.DeepEqual(whole.logs, pieces.logs) {
			t.Error("the cut of the pieces changes the result")
		}
		for _, lines := range whole.logs {
			if len(lines) > logTail {
				t.Errorf("%d lines of a log were kept", len(lines))
			}
		}
		if err := new(Nix).failure(outcome{code: 1, log: whole}); strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("message of several lines: %q", err)
		}
	})
}
