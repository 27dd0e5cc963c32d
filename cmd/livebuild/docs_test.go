package main

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	need "github.com/livebuild/livebuild/internal/judge"
)

// codeBlock is code on a page of the documentation. Code that is indented, or between fences that
// say sh, is for a shell; where lines begin with "$ ", the others are what comes out.
type codeBlock struct {
	page string
	line int
	kind string // what the fence says; empty without one
	code string
	// excuse is why a block is not run, from a comment before it: <!-- not run: REASON -->
	excuse string
}

// excuses are what blocks may be excused by.
var excuses = []string{"needs the internet", "sets up the machine", "takes long"}

var excuse = regexp.MustCompile(`^<!-- not run: (.*) -->\s*$`)

// codeBlocks reads the code of all pages.
func codeBlocks(t testing.TB) (list []codeBlock) {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../../README.md") {
		source := readFile(t, page)
		document := goldmark.DefaultParser().Parse(text.NewReader(source))
		err := ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			b := codeBlock{page: filepath.Base(page)}
			switch n := n.(type) {
			case *ast.FencedCodeBlock:
				b.kind = string(n.Language(source))
			case *ast.CodeBlock:
			default:
				return ast.WalkContinue, nil
			}
			if !entering || n.Lines().Len() == 0 {
				return ast.WalkContinue, nil
			}
			b.code = string(n.Lines().Value(source))
			b.line = 1 + bytes.Count(source[:n.Lines().At(0).Start], []byte("\n"))
			if before, ok := n.PreviousSibling().(*ast.HTMLBlock); ok {
				if m := excuse.FindSubmatch(before.Lines().Value(source)); m != nil {
					b.excuse = string(m[1])
				}
			}
			list = append(list, b)
			return ast.WalkContinue, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func (b codeBlock) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// prompted is whether the block shows what commands print.
func (b codeBlock) prompted() bool { return regexp.MustCompile(`(?m)^\$ `).MatchString(b.code) }

// shell is the commands of a block, or empty if it has none of livebuild: it shows something else.
func (b codeBlock) shell() string {
	if b.kind != "" && b.kind != "sh" {
		return ""
	}
	var lines []string
	for line := range strings.Lines(b.code) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		if isCommand || !b.prompted() {
			lines = append(lines, command)
		}
	}
	script := strings.Join(lines, "")
	if !regexp.MustCompile(`(?m)^(sudo |nix run github:livebuild/livebuild -- )?(bin/)?livebuild `).MatchString(script) && b.kind != "sh" {
		return ""
	}
	return script
}

// onlyAsked is a livebuild for the documentation: what takes a virtual machine, a disk, minutes, a
// key or the internet, or a folder of its own, is asked for its help, for which its flags are
// read. All else is done.
const onlyAsked = `#!/bin/bash
set -u
ask=
case ${1-} in run|test|write|devices|fetch|doctor|bench|completion|init|stamp|sign|serve) ask=yes ;; esac
args=() help=--help
for arg; do
    case $arg in
        --test|--write|--check|--store|--eval-store|--builders|--against|--rebuild|--image-variant|--key|--sign|--manifest|/dev/*|debian-live.iso|*:*/*|*#arm*|.) ask=yes ;;
        nixpkgs=/path/to/nixpkgs) arg=nixpkgs=$MINI ;;
        --) args+=($help) help= ;;
    esac
    args+=("$arg")
done
export PATH=$REAL_PATH
if [ -n "$ask" ]; then
    echo asked >> "$LOG"
    exec "$LIVEBUILD" "${args[@]}" $help > /dev/null
fi
echo ran >> "$LOG"
exec "$LIVEBUILD" "${args[@]}"
`

// docsFlake has the configurations that the documentation speaks of.
const docsFlake = `{
  exampleIso = nixosSystem { };
  mini = nixosSystem { };
  laptop = mini.nixosConfigurations.mini-host;
  rescue = nixosSystem { };
  installer = nixosSystem { specialisation.verbose.boot.kernelParams = [ "loglevel=7" ]; };
}`

// TestDocs runs the commands of the documentation: each page in a folder with a flake, images and
// keys by the names that it speaks of.
func TestDocs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds images")
	}
	need.Root(t)
	image := miniISO(t)
	byPage := map[string][]codeBlock{}
	for _, b := range codeBlocks(t) {
		if b.excuse != "" && !slices.Contains(excuses, b.excuse) {
			t.Errorf("%v: %q is no excuse; there are %q", b, b.excuse, excuses)
		}
		if b.shell() != "" && b.excuse == "" {
			byPage[b.page] = append(byPage[b.page], b)
		}
	}
	for page, blocks := range byPage {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			folder := docsFolder(t, image.File, blocks)
			for _, b := range blocks {
				runBlock(t, folder, b)
			}
			log := string(readFile(t, filepath.Join(folder, ".log")))
			t.Logf("%d commands were run, of %d the flags were read", strings.Count(log, "ran"), strings.Count(log, "asked"))
		})
	}
}

// imageName is what an image in the folder is called.
var imageName = regexp.MustCompile(`^[\w.-]+\.iso$`)

// docsFolder is a folder with what the commands of a page speak of.
func docsFolder(t *testing.T, image string, blocks []codeBlock) string {
	t.Helper()
	folder := t.TempDir()
	writeFlake(t, folder, docsFlake)
	// Of a repository Nix copies what is tracked, and no images.
	judge(t, "git", "git", "-C", folder, "init", "--quiet")
	judge(t, "git", "git", "-C", folder, "add", "flake.nix", "flake.lock")
	content := readFile(t, image)
	for _, b := range blocks {
		for _, word := range strings.Fields(b.shell()) {
			if imageName.MatchString(word) {
				writeFile(t, filepath.Join(folder, word), content)
			}
		}
	}
	writeFile(t, filepath.Join(folder, "lab.iso"), readFile(t, stampableISO(t)))
	for _, name := range []string{"images", "image", ".ssh", ".bin"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(folder, ".ssh/id_ed25519.pub"), []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUbGzJGZmFrZWtleWZha2VrZXlmYWtla2V5ZmFr me\n"))
	writeFile(t, filepath.Join(folder, "iso.nix"), readFile(t, filepath.Join(miniFlake(t), "iso.nix")))
	writeFile(t, filepath.Join(folder, "packages.nix"), readFile(t, filepath.Join(miniFlake(t), "packages.nix")))
	writeFile(t, filepath.Join(folder, "default.nix"), fmt.Appendf(nil, "{ exampleIso = import %s/config.nix { }; }\n", miniFlake(t)))
	writeFile(t, filepath.Join(folder, "rescue.nix"), []byte("{ }\n"))
	writeFile(t, filepath.Join(folder, ".log"), nil)
	stub := filepath.Join(folder, ".bin/livebuild")
	writeFile(t, stub, []byte(onlyAsked))
	if err := os.Chmod(stub, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// runBlock runs the commands of a block one after the other, of which none may fail.
func runBlock(t *testing.T, folder string, b codeBlock) {
	t.Helper()
	cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", b.shell())
	cmd.Dir = folder
	cmd.Env = environment(t, "HOME="+folder, "LIVEBUILD="+program, "REAL_PATH="+os.Getenv("PATH"), "MINI="+miniFlake(t), "LOG="+filepath.Join(folder, ".log"),
		"NIX_PATH=nixpkgs="+miniFlake(t), "PATH="+filepath.Join(folder, ".bin")+":"+os.Getenv("PATH"), "TOKEN=secret", "GITHUB_STEP_SUMMARY="+filepath.Join(folder, ".summary"))
	if o := runCommand(t, cmd); o.status != 0 {
		t.Errorf("%v: status %d of\n%s\n%s", b, o.status, b.shell(), o.stderr)
	}
}

// TestDocsCommands checks that all commands of the documentation are those that there are, whether
// TestDocs runs them or not.
func TestDocsCommands(t *testing.T) {
	commands := 0
	for _, b := range codeBlocks(t) {
		script := b.shell()
		if b.kind == "yaml" {
			script = b.code
		}
		for line := range strings.Lines(script) {
			code := strings.TrimSpace(line)
			code = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(code, "- "), "run: "), "sudo ")
			code = strings.TrimPrefix(code, "nix run github:livebuild/livebuild -- ")
			rest, ok := strings.CutPrefix(strings.TrimPrefix(code, "bin/"), "livebuild ")
			if !ok {
				continue
			}
			commands++
			for _, end := range []string{" #", "|", ">", "&&", ";"} {
				rest, _, _ = strings.Cut(rest, end)
			}
			words, err := exec.Command("sh", "-fc", `printf '%s\n' `+strings.TrimSuffix(strings.TrimSpace(rest), `\`)).Output()
			if err != nil {
				t.Errorf("%v: %s: no command of a shell: %v", b, code, err)
				continue
			}
			// With --help the flags are read, and nothing is done.
			args := strings.Split(strings.TrimSuffix(string(words), "\n"), "\n")
			end := slices.Index(append(args, "--"), "--")
			args = slices.Insert(args, end, "--help")
			o := livebuild(t, args...)
			if o.status != 0 || !strings.HasPrefix(args[0], "-") && args[0] != "help" && !strings.Contains(o.stdout, "livebuild "+args[0]+" ") {
				t.Errorf("%v: %s: status %d\n%s", b, code, o.status, o.stderr)
			}
		}
	}
	if commands == 0 {
		t.Error("the documentation shows no command")
	}
}

// TestDocsHelp checks that pages which show a topic of the help show what it says.
func TestDocsHelp(t *testing.T) {
	shown := 0
	for _, b := range codeBlocks(t) {
		command, want, _ := strings.Cut(b.code, "\n")
		topic, ok := strings.CutPrefix(command, "$ livebuild help ")
		if !ok {
			continue
		}
		shown++
		if got := livebuild(t, "help", topic).stdout; got != want {
			t.Errorf("%v: it shows\n%s\nand 'livebuild help %s' says\n%s", b, want, topic, got)
		}
	}
	if shown == 0 {
		t.Error("no page shows a topic")
	}
}

// TestRecording checks that what is typed in the recording are commands that there are: the
// recording is made by 'make recording', of real runs.
func TestRecording(t *testing.T) {
	typed := regexp.MustCompile(`class="typed">livebuild ([^<]*)<`).FindAllSubmatch(readFile(t, "../../docs/recording.svg"), -1)
	if len(typed) == 0 {
		t.Fatal("nothing is typed")
	}
	for _, m := range typed {
		line := html.UnescapeString(string(m[1]))
		cmd := exec.Command("sh", "-c", program+" "+line+" --help")
		cmd.Env = environment(t)
		if o := runCommand(t, cmd); o.status != 0 {
			t.Errorf("livebuild %s: status %d\n%s", line, o.status, o.stderr)
		}
	}
}

// TestDocsLinks checks that what pages lead to is there: files, and headings in them.
func TestDocsLinks(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range append(pages, "../../README.md") {
		for _, m := range link.FindAllSubmatch(readFile(t, page), -1) {
			to := string(m[1])
			if strings.Contains(to, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(to, "#")
			path := filepath.Join(filepath.Dir(page), file)
			if file == "" {
				path = page
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("%s leads to %s: %v", filepath.Base(page), to, err)
			} else if anchor != "" && !slices.Contains(anchors(string(content)), anchor) {
				t.Errorf("%s leads to %s, where there is no such heading", filepath.Base(page), to)
			}
		}
	}
}

// anchors are the names of headings as GitHub makes them.
func anchors(page string) (list []string) {
	for line := range strings.Lines(page) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			kept := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			list = append(list, strings.ReplaceAll(kept, " ", "-"))
		}
	}
	return list
}
