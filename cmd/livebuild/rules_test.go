package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/livebuild/livebuild/"

// edge is what only programs use: package path, dot, name, where * stands for any end. Whoever
// calls the rest decides where results go, what the settings are, and what process it is part of.
// That programs are looked for in PATH, and that temporary files go to TMPDIR if no folder is
// named, are not meant.
var edge = []string{
	"fmt.Print*", "log.*", "os.Stdin", "os.Stdout", "os.Stderr", "os.Exit", "os.Args", // console
	"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "os.TempDir", "os.User*Dir", // environment
	"os.Setenv", "os.Unsetenv", "os.Clearenv", "os.Chdir", "os/signal.*", // the process
	"runtime/debug.Set*", "runtime/debug.FreeOSMemory", "C.mallopt",
	"syscall.Umask", "syscall.Setenv", "syscall.Getenv", "golang.org/x/sys/unix.Umask", "golang.org/x/sys/unix.Getenv",
}

// isFace says whether a package is of the command line.
func isFace(folder string) bool {
	return folder == "internal/cli" || strings.HasPrefix(folder, "internal/cli/")
}

// atFace are those of them that the command line has for all others: the settings that the
// environment has. Its streams are handed to it.
var atFace = []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.TempDir", "os.User*Dir"}

// exceptions are uses of the edge elsewhere that there still are, with the reason: "package use".
var exceptions = map[string]string{
	"internal/trial runtime/debug.FreeOSMemory": "trials measure memory",
}

// forTests are packages that tests alone import: they may fail, print and ask like a test.
var forTests = []string{"internal/judge", "internal/testdisk", "internal/testimage"}

// Limits of a package in lines without tests, and those that are still above them.
const (
	largestInternal = 3000
	largestPublic   = 4500
	largestMedian   = 900
)

var tooLarge = map[string]string{}

// source is a Go file of the house, tests aside.
type source struct {
	name, folder string
	lines        int
	*ast.File
}

// sources reads all Go files of the house.
func sources(t *testing.T) (list []source) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// Packagers have the modules of others in a folder "vendor".
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && file != root || d.Name() == "vendor") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		text := readFile(t, file)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		list = append(list, source{name, path.Dir(name), bytes.Count(text, []byte("\n")), parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestHouse checks that every package is in the table, is described there and in the
// documentation, and imports what the table lets it.
func TestHouse(t *testing.T) {
	comments := map[string]int{}
	for _, s := range sources(t) {
		if _, known := house[s.folder]; !known {
			t.Errorf("%s: the package %s is not in the table", s.name, s.folder)
		}
		for _, spec := range s.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(name, module); ok && !slices.Contains(house[s.folder].imports, ours) {
				t.Errorf("%s imports %s, which the table does not allow", s.name, ours)
			}
			if strings.Contains(name, "spf13/") && !isFace(s.folder) {
				t.Errorf("%s imports %s: flags belong into internal/cli", s.name, name)
			}
		}
		if s.Doc != nil {
			comments[s.folder]++
		}
	}
	documentation := string(readFile(t, "../../docs/internals.md"))
	for folder, room := range house {
		if comments[folder] != 1 {
			t.Errorf("%s has %d package comments, want 1", folder, comments[folder])
		}
		if row := fmt.Sprintf("\n| `%s` | %s |\n", folder, room.purpose); !strings.Contains(documentation, row) {
			t.Errorf("docs/internals.md lacks the row%s", row)
		}
	}
}

// TestHouseEdge checks that nothing but programs and the command line deals with consoles,
// the environment and the process.
func TestHouseEdge(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		if s.Name.Name == "main" || slices.Contains(forTests, s.folder) {
			continue
		}
		for _, use := range edgeUses(s.File) {
			if isFace(s.folder) && matchesAny(atFace, use) {
				continue
			}
			exception := s.folder + " " + use
			if used[exception] = true; exceptions[exception] == "" {
				t.Errorf("%s uses %s, which only programs may", s.name, use)
			}
		}
	}
	for exception := range exceptions {
		if !used[exception] {
			t.Errorf("%q is no longer true: take it out of the exceptions", exception)
		}
	}
}

// edgeUses are the uses of the edge in a file, as they are written in edge.
func edgeUses(file *ast.File) (uses []string) {
	imported := map[string]string{}
	for _, spec := range file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		local := path.Base(name)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		imported[local] = name
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && imported[x.Name] != "" {
			if use := imported[x.Name] + "." + selector.Sel.Name; matchesAny(edge, use) {
				uses = append(uses, use)
			}
		}
		return true
	})
	return uses
}

func matchesAny(patterns []string, use string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		head, tail, wild := strings.Cut(pattern, "*")
		if !wild {
			return use == pattern
		}
		return len(use) >= len(head)+len(tail) && strings.HasPrefix(use, head) && strings.HasSuffix(use, tail)
	})
}

// TestHouseEdgeUses tries the search for such uses.
func TestHouseEdgeUses(t *testing.T) {
	const text = `package p
import ("os"; "log"; process "runtime/debug"; "golang.org/x/sys/unix"; "C")
var os2 struct{ Exit int }
func f() {
	os.Getenv("A"); os.UserCacheDir(); os.Open("a"); log.Printf("a"); process.SetGCPercent(1); process.Stack()
	unix.Umask(0); C.mallopt(1, 2); _ = os2.Exit
}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"os.Getenv", "os.UserCacheDir", "log.Printf", "runtime/debug.SetGCPercent", "golang.org/x/sys/unix.Umask", "C.mallopt"}
	if got := edgeUses(file); !slices.Equal(got, want) {
		t.Errorf("the uses are %q, want %q", got, want)
	}
}

// TestHouseSizes checks that no package became two.
func TestHouseSizes(t *testing.T) {
	lines := map[string]int{}
	for _, s := range sources(t) {
		lines[s.folder] += s.lines
	}
	var sizes []int
	for folder, n := range lines {
		limit := largestInternal
		if strings.HasPrefix(folder, "pkg/") {
			limit = largestPublic
		}
		switch reason, excepted := tooLarge[folder]; {
		case n > limit && !excepted:
			t.Errorf("%s has %d lines, more than %d: which two things is it?", folder, n, limit)
		case n > limit:
			t.Logf("%s has %d lines, more than %d: %s", folder, n, limit, reason)
		case excepted:
			t.Errorf("%s has %d lines, which is no longer too large: take it out of the exceptions", folder, n)
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	if median := sizes[len(sizes)/2]; median >= largestMedian {
		t.Errorf("the median of the packages has %d lines, want less than %d", median, largestMedian)
	}
}
