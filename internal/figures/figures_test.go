package figures

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func ExampleLarge() {
	for _, line := range Large("4f…") {
		fmt.Println(strings.TrimRight(line, " "))
	}
	// Output:
	//   ▄█    ▄▀▀▄
	// ▄▀ █   ▄█▄
	// ▀▀▀█▀   █
	//    ▀    ▀     ▀ ▀ ▀
}

func TestEnds(t *testing.T) {
	if first, last := Ends(sum); first != "0123" || last != "cdef" {
		t.Errorf("the ends are %q and %q", first, last)
	}
	if first, last := Ends("12"); first != "12" || last != "" {
		t.Errorf("of a short text the ends are %q and %q", first, last)
	}
}

// TestLarge wants every digit to be drawn, no two alike, in 80 columns.
func TestLarge(t *testing.T) {
	seen := map[string]rune{}
	for _, r := range "0123456789abcdef" {
		drawn := strings.Join(Large(string(r)), "\n")
		if other, ok := seen[drawn]; ok || strings.TrimSpace(drawn) == "" {
			t.Errorf("%q is drawn as %q:\n%s", r, other, drawn)
		}
		seen[drawn] = r
	}
	first, last := Ends(sum)
	for _, line := range Large(first + "…" + last) {
		if n := utf8.RuneCountInString(line); n != 9*5+8*2 {
			t.Errorf("a line has %d columns", n)
		}
	}
}

// TestQR has zbar read what is drawn, in the colours of a terminal and of paper.
func TestQR(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		lines, err := QR(sum, terminal)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) > 22 {
			t.Errorf("the code has %d lines", len(lines))
		}
		file := filepath.Join(t.TempDir(), "qr.png")
		if err := os.WriteFile(file, picture(t, lines), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(judge.Run(t, "zbar-tools", "zbarimg", "--nodbus", "--quiet", "--raw", file)); got != sum {
			t.Errorf("on a terminal: %t: zbarimg reads %q", terminal, got)
		}
	}
	if _, err := QR(strings.Repeat("x", 5000), true); err == nil {
		t.Error("more than a code can have is drawn")
	}
}

// picture paints the characters of lines, dark on light.
func picture(t *testing.T, lines []string) []byte {
	const scale = 4
	img := image.NewGray(image.Rect(0, 0, 80*scale, len(lines)*2*scale))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for y, line := range lines {
		line = strings.TrimSuffix(strings.TrimPrefix(line, darkOnLight), asBefore)
		for x, r := range []rune(line) {
			for half, dark := range []bool{r == '█' || r == '▀', r == '█' || r == '▄'} {
				for i := 0; dark && i < scale*scale; i++ {
					img.SetGray(x*scale+i%scale, (2*y+half)*scale+i/scale, color.Gray{})
				}
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
