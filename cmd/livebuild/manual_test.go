package main

import (
	"go/ast"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// writeManual has the program write its manual.
func writeManual(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if o := (call{env: []string{"SOURCE_DATE_EPOCH=1000000000"}}).livebuild(t, "man", folder); o.status != 0 || o.stdout+o.stderr != "" {
		t.Fatalf("%+v", o)
	}
	return folder
}

// TestManual has man and mandoc read the manual. Every verb has a page, with every flag of its
// help; every topic has one.
func TestManual(t *testing.T) {
	folder := writeManual(t)
	root := livebuild(t, "--help").stdout
	pages, err := filepath.Glob(folder + "/man?/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if out := judge(t, "mandoc", "mandoc", "-T", "lint", "-W", "warning", page); out != "" {
			t.Error(out)
		}
		man := exec.Command(need.Path(t, "man-db", "man"), "--warnings", "-l", "-P", "cat", page)
		man.Env = append(environment(t), "LC_ALL=C.UTF-8", "MANWIDTH=80")
		if o := runCommand(t, man); o.status != 0 || o.stderr != "" || !strings.Contains(o.stdout, "2001") {
			t.Errorf("%s: %+v", page, o)
		}
	}
	known := 0
	for heading, section := range map[string]string{"Verbs": "1", "Topics": "7"} {
		for _, name := range namesUnder(t, root, heading) {
			if name == "help" || name == "completion" {
				continue
			}
			known++
			page := filepath.Join(folder, "man"+section, "livebuild-"+name+"."+section)
			if _, err := os.Stat(page); err != nil {
				t.Error(err)
				continue
			}
			shown := regexp.MustCompile(`.\x08`).ReplaceAllString(judge(t, "mandoc", "mandoc", "-T", "utf8", page), "")
			for _, flag := range regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z0-9-]+)`).FindAllStringSubmatch(livebuild(t, name, "--help").stdout, -1) {
				if !strings.Contains(shown, flag[1]) && flag[1] != "--help" {
					t.Errorf("%s lacks %s", page, flag[1])
				}
			}
		}
	}
	if len(pages) != known+1 { // that of the program itself
		t.Errorf("%d pages for %d verbs and topics", len(pages), known)
	}
	second := writeManual(t)
	for _, page := range pages {
		again := strings.Replace(page, folder, second, 1)
		if string(readFile(t, page)) != string(readFile(t, again)) {
			t.Errorf("%s differs from one run to the next", page)
		}
	}
}

// namesUnder are the words that lines below a heading of a help text begin with.
func namesUnder(t *testing.T, help, heading string) (list []string) {
	t.Helper()
	_, after, found := strings.Cut(help, "\n"+heading+":\n")
	if !found {
		t.Fatalf("there is no heading %s in\n%s", heading, help)
	}
	for line := range strings.Lines(after) {
		if !strings.HasPrefix(line, "  ") {
			break
		}
		list = append(list, strings.Fields(line)[0])
	}
	return list
}

// terms are those of the lists in a topic.
func terms(t *testing.T, topic string) (list []string) {
	t.Helper()
	text := livebuild(t, "help", topic).stdout
	for _, m := range regexp.MustCompile(`(?m)^  ([^\s,]+(?:, [^\s,]+)*)`).FindAllStringSubmatch(text, -1) {
		list = append(list, strings.Split(m[1], ", ")...)
	}
	if len(list) == 0 {
		t.Fatalf("the topic %s has no terms:\n%s", topic, text)
	}
	return list
}

// TestExitStatusTopic holds the topic against the constants of the command line.
func TestExitStatusTopic(t *testing.T) {
	var statuses []string
	for _, s := range sources(t) {
		if s.folder != "internal/cli" {
			continue
		}
		for name, value := range constants(s.File) {
			if strings.HasPrefix(name, "exit") {
				statuses = append(statuses, value)
			}
		}
	}
	told := terms(t, "exit-status")
	slices.Sort(statuses)
	slices.Sort(told)
	if !slices.Equal(statuses, told) {
		t.Errorf("the program ends with %q, the topic tells of %q", statuses, told)
	}
}

// TestEnvironmentTopic holds the topic against what the code reads.
func TestEnvironmentTopic(t *testing.T) {
	told := terms(t, "environment")
	read := map[string]string{"PATH": "programs", "TMPDIR": "os.MkdirTemp", "HOME": "os.UserCacheDir", "NO_COLOR": "lists"}
	for _, variable := range []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"} {
		read[variable] = "net/http"
	}
	for _, variable := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		read[variable] = "crypto/x509"
	}
	for _, s := range sources(t) {
		if s.folder == "internal/judge" || s.folder == "cmd/bench" {
			continue
		}
		named := constants(s.File)
		ast.Inspect(s.File, func(n ast.Node) bool {
			for _, variable := range variables(n, named) {
				if read[variable] = s.name; !slices.Contains(told, variable) {
					t.Errorf("%s reads %s, of which the topic does not tell", s.name, variable)
				}
			}
			return true
		})
	}
	for _, variable := range told {
		if read[variable] == "" {
			t.Errorf("the topic tells of %s, which nothing reads", variable)
		}
	}
	if len(read) < 8 {
		t.Errorf("only %q are read: the search is broken", slices.Sorted(maps.Keys(read)))
	}
}

// variables are those of the environment that a call reads.
func variables(n ast.Node, named map[string]string) []string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return nil
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	switch selector.Sel.Name {
	case "UserCacheDir":
		return []string{"XDG_CACHE_HOME"}
	case "Getenv", "LookupEnv", "getenv":
	default:
		return nil
	}
	switch argument := call.Args[0].(type) {
	case *ast.BasicLit:
		name, _ := strconv.Unquote(argument.Value)
		return []string{name}
	case *ast.Ident:
		return []string{named[argument.Name]} // empty, and so not told of, if it is no constant
	}
	return []string{""}
}

// constants are those of a file that have a literal for a value.
func constants(file *ast.File) map[string]string {
	list := map[string]string{}
	for _, d := range file.Decls {
		declaration, ok := d.(*ast.GenDecl)
		if !ok || declaration.Tok != token.CONST {
			continue
		}
		for _, spec := range declaration.Specs {
			values := spec.(*ast.ValueSpec)
			for i, name := range values.Names {
				if i >= len(values.Values) {
					continue
				}
				if literal, ok := values.Values[i].(*ast.BasicLit); ok {
					text, err := strconv.Unquote(literal.Value)
					if err != nil {
						text = literal.Value
					}
					list[name.Name] = text
				}
			}
		}
	}
	return list
}
