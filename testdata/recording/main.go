// Recording runs livebuild on the test flake and draws what a terminal shows of it, as an SVG that
// plays by itself:
//
//	go run ./testdata/recording LIVEBUILD FLAKE FILE.svg
//
// All lines are those of real runs. What differs from run to run is left out, which is how long
// steps took, so that the same program gives the same picture.
package main

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// session is what is typed.
var session = []string{
	"livebuild iso .#mini -o live.iso",
	"livebuild verify live.iso",
	"livebuild test live.iso --modes uefi-usb --expect 'MINI-RESULT PASS'",
	"livebuild iso .#mini -o live.iso",
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: recording LIVEBUILD FLAKE FILE.svg")
		os.Exit(2)
	}
	if err := record(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func record(program, flake, file string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "recording-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	home := filepath.Join(folder, "home") // caches of other runs have no part in it
	work := filepath.Join(folder, "work")
	if err := os.CopyFS(work, os.DirFS(flake)); err != nil {
		return err
	}
	bin := filepath.Join(folder, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(program, filepath.Join(bin, "livebuild")); err != nil {
		return err
	}
	// A repository, as flakes are: images that lie in it are not copied to the store.
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "."}} {
		if out, err := exec.Command("git", append([]string{"-C", work}, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
		}
	}
	var lines []line
	for _, command := range session {
		lines = append(lines, line{text: command, typed: true})
		cmd := exec.Command("bash", "-c", command)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home, "LC_ALL=C", "GITHUB_ACTIONS=", "LIVEBUILD_PROGRESS=plain", "PATH="+bin+":"+os.Getenv("PATH"))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, out.String())
		}
		lines = append(lines, shown(out.String())...)
	}
	return os.WriteFile(file, draw(lines), 0o644)
}

// line is one on the screen.
type line struct {
	text  string
	typed bool
}

var (
	// took is how long a step or a boot took.
	took = regexp.MustCompile(` \(\d[\dms. ]*s\)| after \d[\dms. ]*s\b`)
	// moved is how far a step was at some moment.
	moved = regexp.MustCompile(`^[a-z]+ing( [^:]*)?: `)
	// machine is what is said of this machine alone.
	machine = regexp.MustCompile(`^KVM does not work here`)
)

// shown are the lines that stay the same.
func shown(output string) (lines []line) {
	for text := range strings.Lines(output) {
		text = took.ReplaceAllString(strings.TrimRight(text, "\n"), "")
		if moved.MatchString(text) || machine.MatchString(text) {
			continue
		}
		for len([]rune(text)) > columns {
			lines = append(lines, line{text: string([]rune(text)[:columns])})
			text = string([]rune(text)[columns:])
		}
		lines = append(lines, line{text: text})
	}
	return lines
}

// Sizes in pixels, and of time.
const (
	columns    = 88
	charWidth  = 84 // tenths
	lineHeight = 19
	margin     = 16
	bar        = 34

	perKey   = 45 * time.Millisecond
	perLine  = 350 * time.Millisecond
	beforeOK = 900 * time.Millisecond
)

// draw makes the picture: each line comes up at its time, and stays. Whoever wants no motion, and
// whatever knows no animations, has all of them at once.
func draw(lines []line) []byte {
	width := columns*charWidth/10 + 2*margin
	height := bar + len(lines)*lineHeight + margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="livebuild in a terminal">
<style>
.screen { fill: #1b1f27 }
.dot { fill: #565e6d }
text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d6dae2; white-space: pre }
.typed { fill: #ffffff; font-weight: 600 }
.prompt { fill: #7fb4ff }
g { animation: show 1ms both }
@keyframes show { from { visibility: hidden } to { visibility: visible } }
@media (prefers-reduced-motion: reduce) { g { animation: none } }
</style>
<rect class="screen" width="%d" height="%d" rx="8"/>
<circle class="dot" cx="20" cy="17" r="5"/><circle class="dot" cx="38" cy="17" r="5"/><circle class="dot" cx="56" cy="17" r="5"/>
`, width, height, width, height, width, height)
	at := 500 * time.Millisecond
	for i, l := range lines {
		y := bar + (i+1)*lineHeight - 5
		text := html.EscapeString(l.text)
		if l.typed {
			at += beforeOK
			text = `<tspan class="prompt">$ </tspan><tspan class="typed">` + text + `</tspan>`
		}
		fmt.Fprintf(&b, "<g style=\"animation-delay:%.2fs\"><text xml:space=\"preserve\" x=\"%d\" y=\"%d\">%s</text></g>\n", at.Seconds(), margin, y, text)
		if l.typed {
			at += time.Duration(len(l.text)) * perKey / 2
		} else {
			at += perLine
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
