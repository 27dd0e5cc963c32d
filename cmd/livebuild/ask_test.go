package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// step is something that a person at a terminal waits for, and what is typed then.
type step struct{ shown, typed string }

// talk runs the program on the terminal.
func (term *terminal) talk(t testing.TB, c call, args []string, steps ...step) outcome {
	t.Helper()
	cmd := c.command(t, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.program, term.program, term.program
	if !slices.ContainsFunc(c.env, func(v string) bool { return strings.HasPrefix(v, "TERM=") }) {
		cmd.Env = append(cmd.Env, "TERM=xterm")
	}
	if !slices.Contains(c.env, "CI=true") {
		cmd.Env = append(cmd.Env, "CI=")
	}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true} // so that ^C gets to the program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(patience)
	seen, last := 0, 0 // what was shown before the last answer, and in all
	for {
		select {
		case <-ended:
			if len(steps) > 0 {
				t.Errorf("the program ended before it showed %q", steps[0].shown)
			}
			return outcome{cmd.ProcessState.ExitCode(), "", term.all(t)}
		case <-deadline:
			_ = cmd.Process.Kill()
			t.Fatalf("the program does not end; the terminal shows\n%q", term.shown.String())
		case <-time.After(10 * time.Millisecond):
			text := term.shown.String()
			if len(text) > last {
				last, deadline = len(text), time.After(patience)
			}
			if len(steps) == 0 || !strings.Contains(text[seen:], steps[0].shown) {
				continue
			}
			seen = len(text)
			if _, err := term.WriteString(steps[0].typed); err != nil {
				t.Fatal(err)
			}
			steps = steps[1:]
		}
	}
}

// all is what the terminal shows when all that was written to it has arrived.
func (term *terminal) all(t testing.TB) string {
	t.Helper()
	const end = "(end)"
	before := strings.Count(term.shown.String(), end)
	if _, err := term.program.WriteString(end); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); strings.Count(term.shown.String(), end) == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the terminal shows no more than\n%q", term.shown.String())
		}
	}
	return strings.ReplaceAll(term.shown.String(), end, "")
}

// Keys as terminals send them (xterm's ctlseqs).
const (
	enter = "\r"
	down  = "\x1b[B"
	ctrlC = "\x03"
)

// several is a flake with configurations that tell their names when they are evaluated.
func several(t testing.TB) string {
	return rawFlake(t, `{ outputs = _: { nixosConfigurations = {
  laptop = throw "this is laptop"; "my host" = throw "this is my host"; rescue = throw "this is rescue";
}; }; }`)
}

// TestAskConfiguration picks one of several configurations, where none is named.
func TestAskConfiguration(t *testing.T) {
	miniFlake(t) // Nix is needed
	dir := several(t)
	for name, test := range map[string]struct {
		env   []string
		args  []string
		steps []step
		shows []string
	}{
		"the flake here": {args: []string{"iso"}, steps: []step{{"Which configuration?", down + enter}},
			shows: []string{"that is: livebuild iso '.#my host'", "error: this is my host"}},
		"a flake": {args: []string{"plan", ".", "--no-live"}, steps: []step{{"Which configuration?", enter}},
			shows: []string{"that is: livebuild plan --no-live '.#laptop'", "error: this is laptop"}},
		"filtered": {args: []string{"bench", "."}, steps: []step{{"Which configuration?", "/res" + enter}},
			shows: []string{"error: this is rescue"}},
		"dumb": {env: []string{"TERM=dumb"}, args: []string{"iso"}, steps: []step{{"A number from 1 to 3: ", "x\n"}, {"A number from 1 to 3: ", "3\n"}},
			shows: []string{"   2  my host", "error: this is rescue"}},
		"no colours": {env: []string{"NO_COLOR=1"}, args: []string{"iso"}, steps: []step{{"Which configuration?", enter}},
			shows: []string{"error: this is laptop"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newTerminal(t).talk(t, call{dir: dir, env: test.env}, test.args, test.steps...)
			if o.status != 1 {
				t.Errorf("status %d, want that of the failed evaluation", o.status)
			}
			for _, text := range test.shows {
				if !strings.Contains(o.stderr, text) {
					t.Errorf("the terminal lacks %q:\n%q", text, o.stderr)
				}
			}
			// SGR with a colour of the foreground (ECMA-48 §8.3.117).
			if coloured := strings.Contains(o.stderr, "\x1b[36m") || strings.Contains(o.stderr, ";36m"); coloured != (test.env == nil) {
				t.Errorf("there are colours: %t\n%q", coloured, o.stderr)
			}
			if strings.Contains(name, "dumb") && strings.Contains(o.stderr, "\x1b") {
				t.Errorf("the cursor is moved on a dumb terminal: %q", o.stderr)
			}
		})
	}
}

// TestAskSeveral picks configurations for one medium: each takes the place of the argument that says too little, and
// no other.
func TestAskSeveral(t *testing.T) {
	miniFlake(t)
	folder := t.TempDir()
	one := filepath.Join(folder, "one")
	if err := os.Mkdir(one, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFlake(t, one, `{
  live = mini.nixosConfigurations.mini-live;
  other = mini.nixosConfigurations.mini-host;
  target = mini.nixosConfigurations.mini-target;
}`)
	two := several(t)
	target := miniFlake(t) + "#mini-target"
	for name, test := range map[string]struct {
		args  []string
		steps []step
		shows []string
	}{
		"the second": {[]string{"plan", ".#live", two}, []step{{"Which configuration of " + two + "?", enter}},
			[]string{"that is: livebuild plan '.#live' '" + two + "#laptop'\r\n", "error: this is laptop"}},
		// The list has no more than what is not named, and the other stays what it is.
		"the same flake": {[]string{"plan", ".#live", "."}, []step{{"Which configuration of .?", enter}},
			[]string{"that is: livebuild plan '.#live' '.#other'\r\n", "configuration  live, starts by itself\r\n", "configuration  other"}},
		"both": {[]string{"plan", ".", two, "--no-live"}, []step{{"Which configuration of .?", enter}, {"Which configuration of " + two + "?", down + down + enter}},
			[]string{"that is: livebuild plan '.#live' '" + two + "#rescue' --no-live\r\n", "error: this is rescue"}},
		// What is to be installed is no argument, and is not asked for.
		"to be installed": {[]string{"plan", ".#live", "--install", ".", "--install-source", "none"}, nil,
			[]string{"several configurations, and none was named of those to be installed"}},
		"of another flake": {[]string{"plan", ".#live", "--install", two, "--install-source", "none"}, nil,
			[]string{"several configurations, and none was named of those to be installed"}},
		"before that": {[]string{"plan", ".", "--install", target, "--install-source", "none"}, []step{{"Which configuration?", enter}},
			[]string{"that is: livebuild plan --install '" + target + "' --install-source none '.#live'\r\n", "installs       mini-target"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newTerminal(t).talk(t, call{dir: one}, test.args, test.steps...)
			for _, text := range test.shows {
				if !strings.Contains(o.stderr, text) {
					t.Errorf("the terminal lacks %q:\n%s", text, o.stderr)
				}
			}
		})
	}
}

// TestAskStopped ends lists without an answer, after which the terminal is as it was.
func TestAskStopped(t *testing.T) {
	miniFlake(t)
	dir := several(t)
	for name, test := range map[string]struct{ env, shown, typed string }{
		"list":        {"TERM=xterm", "Which configuration?", ctrlC},
		"number":      {"TERM=dumb", "A number from 1 to 3: ", ctrlC},
		"end of file": {"TERM=dumb", "A number from 1 to 3: ", "\x04"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			term := newTerminal(t)
			before, err := unix.IoctlGetTermios(int(term.program.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			o := term.talk(t, call{dir: dir, env: []string{test.env}}, []string{"iso"}, step{test.shown, test.typed})
			if o.status != 130 || !strings.HasSuffix(o.stderr, "interrupted\r\n") || strings.Contains(o.stderr, "error:") {
				t.Errorf("status %d: %q", o.status, o.stderr)
			}
			after, err := unix.IoctlGetTermios(int(term.program.Fd()), unix.TCGETS)
			if err != nil || *after != *before {
				t.Errorf("the terminal is left as %+v, it was %+v: %v", after, before, err)
			}
			if strings.Count(o.stderr, "\x1b[?25l") != strings.Count(o.stderr, "\x1b[?25h") {
				t.Errorf("the cursor stays hidden: %q", o.stderr)
			}
			checkNames(t, dir, "flake.nix")
		})
	}
}

// TestAskNobody asks nothing where nobody is to be asked: the error is that of scripts.
func TestAskNobody(t *testing.T) {
	miniFlake(t)
	dir := several(t)
	image, _ := imageFile(t, 1*mib)
	for name, test := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"CI":             {[]string{"CI=true"}, []string{"iso"}, "which configuration?"},
		"JSON":           {nil, []string{"plan", ".", "--json"}, "several configurations"},
		"yes":            {nil, []string{"write", image, "--yes"}, "which disk?"},
		"progress":       {nil, []string{"iso", ".", "--progress", "plain"}, "several configurations"},
		"variable":       {[]string{"LIVEBUILD_PROGRESS=quiet"}, []string{"iso", "."}, "several configurations"},
		"nothing here":   {nil, []string{"test"}, "which image?"},
		"too many":       {nil, []string{"run", "a", "b"}, "one image is wanted, not 2"},
		"no list":        {nil, []string{"fetch"}, "which image? a URL is missing"},
		"half a list":    {nil, []string{"cat"}, "which image? a file is missing"},
		"the other half": {nil, []string{"cat", image}, "which file of the image? a path is missing"},
		"behind --":      {nil, []string{"run", "--", "-m", "1"}, "which image?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newTerminal(t).talk(t, call{dir: dir, env: test.env}, test.args)
			if o.status == 0 || o.status == 130 || !strings.Contains(o.stderr, "error: "+test.want) || strings.Contains(o.stderr, "Which ") {
				t.Errorf("status %d: %q", o.status, o.stderr)
			}
		})
	}
	// Without a terminal there is nothing but the error, even where there is a flake.
	checkRefusal(t, call{dir: dir}.livebuild(t, "iso"), 2, "which configuration? an installable is missing")
}

// TestAskWrite picks an image and a stick, which is then confirmed by its name as ever.
func TestAskWrite(t *testing.T) {
	image, content := imageFile(t, 2*mib)
	dir := filepath.Dir(image)
	pick := func(s stick) []step {
		return []step{
			{"Which image?", enter}, {"Which disk is to get an image.iso?", "/" + s.path + " " + enter},
		}
	}
	old := filepath.Join(dir, "old.iso")
	writeFile(t, old, content[:mib])
	if err := os.Chtimes(old, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}

	s := newStick(t, 8*mib)
	o := newTerminal(t).talk(t, call{dir: dir}, []string{"write"}, append(pick(s), step{"Type ", filepath.Base(s.path) + "\n"})...)
	if o.status != 0 || !strings.Contains(o.stderr, "that is: livebuild write 'an image.iso' "+s.path) || string(readFile(t, s.file)[:len(content)]) != string(content) {
		t.Errorf("status %d: %q", o.status, o.stderr)
	}

	s = newStick(t, 8*mib)
	o = newTerminal(t).talk(t, call{dir: dir}, []string{"write"}, append(pick(s), step{"Type ", "yes\n"})...)
	if o.status != 1 || !strings.Contains(o.stderr, "was not confirmed") {
		t.Errorf("status %d: %q", o.status, o.stderr)
	}
	s.checkUntouched(t)

	// One that is refused is shown with the reason, and refused when it is picked.
	judge(t, "e2fsprogs", "mkfs.ext4", "-q", s.path)
	mounted := mount(t, s.path)
	o = newTerminal(t).talk(t, call{dir: dir}, []string{"write"}, pick(s)...)
	if o.status != 1 || !strings.Contains(o.stderr, "is mounted at "+mounted) || !strings.Contains(o.stderr, "--unmount unmounts it") {
		t.Errorf("status %d: %q", o.status, o.stderr)
	}
}

// TestAskImages picks images for the verbs that look into them, and change them: of two that are compared
// the second is another one.
func TestAskImages(t *testing.T) {
	image, _ := imageFile(t, 2*mib) // that is no volume
	dir := filepath.Dir(image)
	for name, test := range map[string]struct {
		args  []string
		steps []step
		shows string
	}{
		"diff":  {[]string{"diff"}, []step{{"Which image?", "/an image" + enter}, {"What is an image.iso compared with?", enter}}, "that is: livebuild diff 'an image.iso' other.iso"},
		"stamp": {[]string{"stamp", "--show"}, []step{{"Which image or stick?", "/an image" + enter}}, "that is: livebuild stamp --show 'an image.iso'"},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, filepath.Join(dir, "other.iso"), []byte("none"))
			o := newTerminal(t).talk(t, call{dir: dir}, test.args, test.steps...)
			if o.status != 1 || !strings.Contains(o.stderr, test.shows) || !strings.Contains(o.stderr, "error: ") {
				t.Errorf("status %d: %q", o.status, o.stderr)
			}
		})
	}
}
