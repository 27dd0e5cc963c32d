package imagefile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/judge"
)

// image is something that compresses a little.
func image() []byte {
	b := make([]byte, 3<<20+17)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b[:1<<20])
	return b
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// skips writes a skippable frame of each of the sixteen kinds.
const skips = `for n in 120 121 122 123 124 125 126 127 130 131 132 133 134 135 136 137; do printf "\\$n"'*\115\030\005\000\000\000about'; done; `

// TestFormats reads what other programs have compressed.
func TestFormats(t *testing.T) {
	want := image()
	folder := t.TempDir()
	plain, half := filepath.Join(folder, "image"), filepath.Join(folder, "half")
	write(t, plain, want)
	write(t, half, want[:1<<20])
	write(t, half+"2", want[1<<20:])
	for name, test := range map[string]struct {
		command string // of a shell, about $plain, $half and ${half}2
		format  imagefile.Format
	}{
		"plain":         {`cat "$plain"`, imagefile.Plain},
		"gzip":          {`gzip -c "$plain"`, imagefile.Gzip},
		"gzip, members": {`gzip -c "$half"; gzip -c "${half}2"`, imagefile.Gzip},
		"zstd":          {`zstd -qc "$plain"`, imagefile.Zstd},
		"zstd, pipe":    {`zstd -qc < "$plain"`, imagefile.Zstd},
		"zstd, frames":  {`zstd -qc "$half"; zstd -qc "${half}2"`, imagefile.Zstd},
		"zstd, long":    {`zstd -qc -15 --long=31 "$plain"`, imagefile.Zstd},
		"xz":            {`xz -c "$plain"`, imagefile.XZ},
		"xz, blocks":    {`xz -c --block-size=500000 "$plain"`, imagefile.XZ},
		"xz, streams":   {`xz -c "$half"; xz -c "${half}2"`, imagefile.XZ},
		"xz, BCJ":       {`xz -c --x86 --lzma2 "$plain"`, imagefile.XZ},
		"xz, large":     {`xz -9c "$plain"`, imagefile.XZ},
		"xz, padded":    {`xz -c "$half"; head -c 8 /dev/zero; xz -c "${half}2"; head -c 512 /dev/zero`, imagefile.XZ},
		"gzip, padded":  {`gzip -c "$half"; gzip -c "${half}2"; head -c 10000 /dev/zero`, imagefile.Gzip},
		"gzip, one":     {`gzip -c "$plain"; head -c 1 /dev/zero`, imagefile.Gzip},
		"zstd, skips":   {skips + `zstd -qc "$plain"`, imagefile.Zstd},
		"zstd, between": {skips + `zstd -qc "$half"; ` + skips + ` zstd -qc "${half}2"; ` + skips + ` :`, imagefile.Zstd},
		"pzstd":         {`pzstd -qc "$plain"`, imagefile.Zstd},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "named like nothing")
			judge.Run(t, "dash", "sh", "-euc", `plain=$1 half=$2; { `+test.command+`; } > "$3"`, "sh", plain, half, file)
			f, err := imagefile.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if f.Format != test.format || (f.Plain() != nil) != (test.format == imagefile.Plain) {
				t.Errorf("format %q, want %q", f.Format, test.format)
			}
			sum, err := imagefile.ParseSum(strings.ToUpper(hash(want)), "--sha256")
			if err != nil {
				t.Fatal(err)
			}
			last := int64(0)
			facts, err := f.Check(t.Context(), imagefile.CheckOptions{Sum: sum, Any: true, Progress: func(done, _ int64) { last = done }})
			if err != nil || facts.Size != int64(len(want)) || last != f.FileSize {
				t.Errorf("facts %+v after %d of %d bytes: %v", facts, last, f.FileSize, err)
			}
			if facts, err := f.Check(t.Context(), imagefile.CheckOptions{Any: true}); err != nil || facts.Size != int64(len(want)) {
				t.Errorf("without a sum: %+v, %v", facts, err)
			}
			r, err := f.Reader()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("read %d bytes, %v; they are not the image", len(got), err)
			}
			// That of the compressed file will do as well.
			stored, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if sum, err = imagefile.ParseSum(hash(stored), "--sha256"); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Check(t.Context(), imagefile.CheckOptions{Sum: sum, Any: true}); err != nil {
				t.Errorf("the sum of the file: %v", err)
			}
			var wrong *imagefile.ChecksumError
			if sum, err = imagefile.ParseSum(hash(nil), "--sha256"); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Check(t.Context(), imagefile.CheckOptions{Sum: sum, Any: true}); !errors.As(err, &wrong) {
				t.Errorf("a wrong sum: %v", err)
			}
		})
	}
}

// TestDamaged reads files that are cut short or changed.
func TestDamaged(t *testing.T) {
	folder := t.TempDir()
	plain := filepath.Join(folder, "image")
	write(t, plain, image())
	for name, command := range map[string]string{"gzip": `gzip -c "$1"`, "zstd": `zstd -qc "$1"`, "xz": `xz -c "$1"`} {
		for kind, damage := range map[string]func([]byte) []byte{
			"cut":      func(b []byte) []byte { return b[:len(b)-5] },
			"cut half": func(b []byte) []byte { return b[:len(b)/2] },
			"changed":  func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
			"followed": func(b []byte) []byte { return append(b, "\x00\x00and more"...) },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "image")
				judge.Run(t, "dash", "sh", "-euc", command+` > "$2"`, "sh", plain, file)
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				write(t, file, damage(b))
				f, err := imagefile.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				var damaged *imagefile.DamagedError
				if _, err := f.Check(t.Context(), imagefile.CheckOptions{Any: true}); !errors.As(err, &damaged) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

// TestTooMuch reads files that are in order, but take more than the decoders have.
func TestTooMuch(t *testing.T) {
	folder := t.TempDir()
	plain := filepath.Join(folder, "image")
	write(t, plain, image())
	judge.Run(t, "zstd", "zstd", "-q", "--train", "-r", "/usr/include/linux", "-o", filepath.Join(folder, "dictionary"))
	for command, reason := range map[string]string{
		`xz -c --lzma2=preset=6,dict=192MiB "$1"`: "too large a dictionary",
		`xz -c --lzma2=dict=65MiB "$1"`:           "too large a dictionary",
		`zstd -qc -D "$2/dictionary" "$1"`:        "dictionary of its own",
	} {
		file := filepath.Join(t.TempDir(), "image")
		judge.Run(t, "dash", "sh", "-euc", "{ "+command+`; } > "$3"`, "sh", plain, folder, file)
		f, err := imagefile.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var beyond *imagefile.DecoderError
		if _, err := f.Check(t.Context(), imagefile.CheckOptions{Any: true}); !errors.As(err, &beyond) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", command, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty")
	write(t, empty, nil)
	var (
		openError *imagefile.OpenError
		regular   *imagefile.NotRegularError
		nothing   *imagefile.EmptyError
	)
	if _, err := imagefile.Open(filepath.Join(folder, "absent")); !errors.As(err, &openError) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := imagefile.Open(folder); !errors.As(err, &regular) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := imagefile.Open(empty); !errors.As(err, &nothing) {
		t.Errorf("empty: %v", err)
	}
	// Nothing, but compressed.
	judge.Run(t, "dash", "sh", "-euc", `gzip -c "$1" > "$1.gz"`, "sh", empty)
	f, err := imagefile.Open(empty + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Check(t.Context(), imagefile.CheckOptions{Any: true}); !errors.As(err, &nothing) {
		t.Errorf("compressed nothing: %v", err)
	}
}

// TestFindSumCompressed finds the sum of the file, and that of the image in it.
func TestFindSumCompressed(t *testing.T) {
	b := image()
	folder := t.TempDir()
	plain := filepath.Join(folder, "a.iso")
	write(t, plain, b)
	judge.Run(t, "zstd", "zstd", "-q", plain)
	f, err := imagefile.Open(plain + ".zst")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stored, err := os.ReadFile(plain + ".zst")
	if err != nil {
		t.Fatal(err)
	}
	for text, image := range map[string]bool{hash(stored) + "  a.iso.zst\n": false, hash(b) + "  a.iso\n": true} {
		write(t, filepath.Join(folder, "SHA256SUMS"), []byte(text))
		sum, err := f.FindSum()
		if err != nil || sum == nil || sum.OfImage != image {
			t.Fatalf("%q: found %+v, %v", text, sum, err)
		}
		if _, err := f.Check(t.Context(), imagefile.CheckOptions{Sum: sum, Any: true}); err != nil {
			t.Error(err)
		}
	}
	// The sum of the one does not do for the other.
	write(t, filepath.Join(folder, "SHA256SUMS"), []byte(hash(b)+"  a.iso.zst\n"))
	sum, err := f.FindSum()
	if err != nil {
		t.Fatal(err)
	}
	var wrong *imagefile.ChecksumError
	if _, err := f.Check(t.Context(), imagefile.CheckOptions{Sum: sum, Any: true}); !errors.As(err, &wrong) {
		t.Errorf("the sum of the image for that of the file: %v", err)
	}
}

func TestParseSum(t *testing.T) {
	for _, text := range []string{"", "abc", strings.Repeat("g", 64), strings.Repeat("a", 63), strings.Repeat("a", 65)} {
		var bad *imagefile.SumError
		if _, err := imagefile.ParseSum(text, "--sha256"); !errors.As(err, &bad) {
			t.Errorf("ParseSum(%q): %v", text, err)
		}
	}
}
