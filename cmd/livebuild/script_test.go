package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	need "github.com/livebuild/livebuild/internal/judge"
)

// TestScripts runs the sessions of testdata/script, a file each, in parallel. One alone:
//
//	go test ./cmd/livebuild -run 'TestScripts/^volume-id$'
//
// A script is a txtar archive: commands, then the files that they find in their working
// folder, $WORK, which is new and empty but for those files.
//
//	# A specialisation must look for the medium that the image is.
//	flake configurations.nix
//	! livebuild iso '.#a'
//	refusal 1 'volume ID "MINI_LIVE" differs from OTHER of specialisation other'
//
//	-- configurations.nix --
//	{ a = nixosSystem { specialisation.other.isoImage.volumeID = "OTHER"; }; }
//
// A line that begins with # says what comes next; name each case like that. Elsewhere, too, #
// begins a comment: quote installables. Quotes are ' alone, doubled inside of itself; $NAME is
// expanded outside of them. Beside the commands of testscript ("go doc
// github.com/rogpeppe/go-internal/testscript": exec, stdout, stderr, cmp, exists, cd, env, …)
// there are:
//
//	[!] livebuild ARGUMENT...  runs the program, which must end with the status 0, with ! with any other.
//	status NUMBER              checks the status of the last run.
//	refusal STATUS TEXT...     checks that the last run was a refusal with that status: nothing on
//	                           standard output, one line "error: …" and one "hint: …" on standard
//	                           error, each TEXT there as it stands, and nothing left behind in $WORK,
//	                           the folder for temporary files or that for links of the collector.
//	shows TEXT...              checks that the last run printed each TEXT, as it stands, and nothing on
//	                           standard error.
//	flake FILE                 makes the working folder a locked flake. FILE has the expression for its
//	                           nixosConfigurations, in which nixosSystem is the function of testdata/mini.
//	need WHAT...               leaves the script out, and counts it, without WHAT: root, nix, qemu, or a
//	                           program. What flake and mini need they say themselves.
//	mini                       sets $MINI to the folder of testdata/mini as a flake: "$MINI'#mini'".
//
// Temporary files go to $WORK/.tmp, caches to $WORK/.cache; $LF is a line feed.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		Setup:              setUpScript,
		RequireUniqueNames: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"livebuild": scriptLivebuild,
			"status":    scriptStatus,
			"refusal":   scriptRefusal,
			"shows":     scriptShows,
			"flake":     scriptFlake,
			"mini":      scriptMini,
			"need":      scriptNeed,
		},
	})
}

// scriptRun is the last run of the program in a script.
type scriptRun struct {
	outcome
	before files // in the script's folder
	ran    bool
}

// Keys of what belongs to one script.
type (
	scriptTestKey struct{} // its testing.TB
	scriptRunKey  struct{} // its *scriptRun
)

func setUpScript(env *testscript.Env) error {
	env.Values[scriptTestKey{}] = env.T().(testing.TB)
	env.Values[scriptRunKey{}] = &scriptRun{}
	home := filepath.Join(env.WorkDir, ".home")
	env.Setenv("HOME", home)
	env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
	env.Setenv("NIX_CONFIG", nixConfig)
	env.Setenv("LC_ALL", "C")
	env.Setenv("GITHUB_ACTIONS", "")
	env.Setenv("LF", "\n")
	env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
	return os.Mkdir(home, 0o755)
}

func scriptTest(ts *testscript.TestScript) testing.TB { return ts.Value(scriptTestKey{}).(testing.TB) }

func lastRun(ts *testscript.TestScript) *scriptRun {
	run := ts.Value(scriptRunKey{}).(*scriptRun)
	if !run.ran {
		ts.Fatalf("livebuild was not run before")
	}
	return run
}

func scriptLivebuild(ts *testscript.TestScript, neg bool, args []string) {
	run := ts.Value(scriptRunKey{}).(*scriptRun)
	before, err := filesBelow(ts.Getenv("WORK"))
	ts.Check(err)
	err = ts.Exec(program, args...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	*run = scriptRun{outcome{stdout: ts.ReadFile("stdout"), stderr: ts.ReadFile("stderr")}, before, true}
	if exit != nil {
		run.status = exit.ExitCode()
	}
	if failed := run.status != 0; failed != neg {
		ts.Fatalf("the status is %d", run.status)
	}
}

func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: status NUMBER")
	}
	if want := number(ts, args[0]); lastRun(ts).status != want {
		ts.Fatalf("the status is %d, want %d", lastRun(ts).status, want)
	}
}

func scriptRefusal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refusal STATUS TEXT...")
	}
	run := lastRun(ts)
	faults := refusalFaults(run.outcome, number(ts, args[0]), args[1:])
	after, err := filesBelow(ts.Getenv("WORK"))
	ts.Check(err)
	faults = append(faults, run.before.changes(after)...)
	if len(faults) > 0 {
		ts.Fatalf("%s", strings.Join(faults, "\n"))
	}
}

func scriptShows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: shows TEXT...")
	}
	run := lastRun(ts)
	if run.status != 0 || run.stderr != "" {
		ts.Fatalf("the status is %d, standard error is %q", run.status, run.stderr)
	}
	for _, text := range args {
		if !strings.Contains(run.stdout, text) {
			ts.Fatalf("standard output lacks %q", text)
		}
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func scriptFlake(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flake FILE")
	}
	writeFlake(scriptTest(ts), ts.MkAbs("."), ts.ReadFile(args[0]))
}

func scriptMini(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: mini")
	}
	ts.Setenv("MINI", miniFlake(scriptTest(ts)))
}

func scriptNeed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: need WHAT...")
	}
	t := scriptTest(ts)
	for _, what := range args {
		switch what {
		case "root":
			need.Root(t)
		case "nix":
			need.Nix(t)
		case "qemu":
			need.QEMU(t)
		default:
			need.Path(t, what, what)
		}
	}
}

// files are those below a folder by relative name, with what shows that one was changed. Folders
// have their mode alone, since their time says only that there was a file meanwhile.
type files map[string]string

// filesBelow reads a folder, the caches in it aside but for livebuild's own.
func filesBelow(folder string) (files, error) {
	all := files{}
	err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == folder {
			return err
		}
		name, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		inCache := strings.HasPrefix(name+"/", ".cache/")
		switch {
		case name == ".cache/nix" || name == ".cache/livebuild/evaluations":
			return fs.SkipDir
		case d.IsDir() && !inCache:
			all[name] = info.Mode().String()
		case !d.IsDir():
			all[name] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime())
		}
		return nil
	})
	return all, err
}

// changes says what differs in a later state.
func (before files) changes(after files) (list []string) {
	for name, state := range after {
		switch old, ok := before[name]; {
		case !ok:
			list = append(list, name+" was left behind")
		case old != state:
			list = append(list, name+" was changed")
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			list = append(list, name+" was removed")
		}
	}
	slices.Sort(list)
	return list
}

// TestScriptRefusal tries the command refusal on what is none.
func TestScriptRefusal(t *testing.T) {
	for name, test := range map[string]struct {
		o     outcome
		after files
		want  []string
	}{
		"good":    {outcome{1, "", "evaluating\nerror: no flake\nhint: write one\n"}, files{"a": "1"}, nil},
		"status":  {outcome{2, "", "error: no flake\nhint: write one\n"}, files{"a": "1"}, []string{"status 2, want 1"}},
		"printed": {outcome{1, "x", "error: no flake\nhint: write one\n"}, files{"a": "1"}, []string{`standard output is "x", want nothing`}},
		"no hint": {outcome{1, "", "error: no flake\nhint: \n"}, files{"a": "1"}, []string{`0 lines begin with "hint: ", want 1`}},
		"twice":   {outcome{1, "", "error: no flake\nerror: no\nhint: a\n"}, files{"a": "1"}, []string{`2 lines begin with "error: ", want 1`}},
		"another": {outcome{1, "", "error: absent\nhint: a\n"}, files{"a": "1"}, []string{`standard error lacks "no flake"`}},
		"litter":  {outcome{1, "", "error: no flake\nhint: a\n"}, files{"a": "1", "b": ""}, []string{"b was left behind"}},
		"changed": {outcome{1, "", "error: no flake\nhint: a\n"}, files{"a": "2"}, []string{"a was changed"}},
		"removed": {outcome{1, "", "error: no flake\nhint: a\n"}, files{}, []string{"a was removed"}},
	} {
		got := append(refusalFaults(test.o, 1, []string{"no flake"}), files{"a": "1"}.changes(test.after)...)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
