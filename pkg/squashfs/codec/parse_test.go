package codec

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text  string
		want  Settings
		short string // want.String()
	}{
		{"none", Settings{Name: None}, "none"},
		{"gzip", Settings{Name: Gzip}, "gzip"},
		{"gzip:1", Settings{Name: Gzip, Level: 1}, "gzip:1"},
		{"gzip:12", Settings{Name: Gzip, Level: 12}, "gzip:12"},
		{"zstd:19", Settings{Name: Zstd, Level: 19}, "zstd:19"},
		{"lz4", Settings{Name: LZ4}, "lz4"},
		{"lz4:hc", Settings{Name: LZ4, Level: 12}, "lz4:hc"},
		{"lz4:12", Settings{Name: LZ4, Level: 12}, "lz4:hc"},
		{"lz4:9", Settings{Name: LZ4, Level: 9}, "lz4:9"},
		{"xz:9", Settings{Name: XZ, Level: 9}, "xz:9"},

		{"zstd -Xcompression-level 19", Settings{Name: Zstd, Level: 19}, "zstd:19"},
		{"xz -Xdict-size 100% -Xbcj x86", Settings{Name: XZ, BCJ: X86}, "xz -Xbcj x86"},
		{"xz -Xdict-size 100% -Xbcj arm,x86", Settings{Name: XZ, BCJ: X86 | ARM}, "xz -Xbcj x86,arm"},
		{"xz -Xbcj x86,powerpc,ia64,arm,armthumb,sparc,arm64,riscv", Settings{Name: XZ, BCJ: allFilters},
			"xz -Xbcj x86,powerpc,ia64,arm,armthumb,sparc,arm64,riscv"},
		{"xz -Xbcj native", Settings{Name: XZ, NativeBCJ: true}, "xz -Xbcj native"},
		{"xz:9 -Xbcj arm,native,x86 -b 256K", Settings{Name: XZ, Level: 9, BCJ: X86 | ARM, NativeBCJ: true, BlockSize: 256 << 10},
			"xz:9 -Xbcj native,x86,arm -b 256K"},
		{"xz -Xbcj native -Xbcj arm", Settings{Name: XZ, BCJ: ARM}, "xz -Xbcj arm"},
		{"xz -Xdict-size 37.5%", Settings{Name: XZ, DictPercent: 37.5}, "xz -Xdict-size 37.5%"},
		{"xz -Xdict-size 96K -b 128K", Settings{Name: XZ, DictSize: 96 << 10, BlockSize: 128 << 10}, "xz -Xdict-size 96K -b 128K"},
		{"xz -Xdict-size 8192", Settings{Name: XZ, DictSize: 8192}, "xz -Xdict-size 8K"},
		{"gzip -Xcompression-level 9 -Xwindow-size 15 -Xstrategy default", Settings{Name: Gzip, Level: 9}, "gzip:9"},
		{"gzip -Xstrategy filtered,huffman_only,run_length_encoded,fixed", Settings{Name: Gzip}, "gzip"},
		{"lz4 -Xhc", Settings{Name: LZ4, Level: 12}, "lz4:hc"},
		{"lz4 -Xhc -Xcompression-level 9", Settings{Name: LZ4, Level: 9}, "lz4:9"},
		{"lz4 -b 256K", Settings{Name: LZ4, BlockSize: 256 << 10}, "lz4 -b 256K"},
		{"zstd -b 1M", Settings{Name: Zstd, BlockSize: 1 << 20}, "zstd -b 1M"},
		{"zstd:3 -b 1048576", Settings{Name: Zstd, Level: 3, BlockSize: 1 << 20}, "zstd:3 -b 1M"},
		{"none -b 4096", Settings{Name: None, BlockSize: 4096}, "none -b 4K"},
		{"  zstd\t-Xcompression-level\n1 ", Settings{Name: Zstd, Level: 1}, "zstd:1"},
		{"zstd:3 -Xcompression-level 4 -b 128k -b 64k", Settings{Name: Zstd, Level: 4, BlockSize: 64 << 10}, "zstd:4 -b 64K"},
	} {
		got, err := Parse(test.text)
		if err != nil || got != test.want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", test.text, got, err, test.want)
			continue
		}
		if got.String() != test.short {
			t.Errorf("Parse(%q).String() = %q, want %q", test.text, got, test.short)
		}
		if again, err := Parse(test.short); err != nil || again != got {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", test.short, again, err, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ text, word string }{
		{"", ""},
		{" ", ""},
		{"brotli", "brotli"},
		{"lzo", "lzo"},
		{"ZSTD", "ZSTD"},
		{"-Xcompression-level 3", "-Xcompression-level"},
		{":3", ""},
		{"zstd:0", "0"},
		{"zstd:23", "23"},
		{"zstd:-1", "-1"},
		{"zstd:", ""},
		{"zstd:hc", "hc"},
		{"zstd:3:4", "3:4"},
		{"gzip:13", "13"},
		{"xz:10", "10"},
		{"lz4:13", "13"},
		{"lz4:high", "high"},
		{"none:1", "1"},
		{"zstd 19", "19"},
		{"zstd -Xcompression-level", "-Xcompression-level"},
		{"zstd -Xcompression-level nineteen", "nineteen"},
		{"zstd -Xcompression-level 99999999999999999999", "99999999999999999999"},
		{"zstd -Xcompression-level 23", "23"},
		{"zstd -Xhc", "-Xhc"},
		{"xz -Xcompression-level 6", "-Xcompression-level"},
		{"xz -Xbcj", "-Xbcj"},
		{"xz -Xbcj x86,", ""},
		{"xz -Xbcj x86,mips", "mips"},
		{"xz -Xdict-size 0%", "0%"},
		{"xz -Xdict-size 101%", "101%"},
		{"xz -Xdict-size -5%", "-5%"},
		{"xz -Xdict-size NaN%", "NaN%"},
		{"xz -Xdict-size %", "%"},
		{"xz -Xdict-size 4K", "4K"},
		{"xz -Xdict-size 80K", "80K"},
		{"xz -Xdict-size 33% -b 1M", "33%"},
		{"xz -Xdict-size 1M -b 512K", "1M"},
		{"xz -Xdict-size 1% -b 128K", "1%"},
		{"gzip -Xwindow-size 7", "7"},
		{"gzip -Xwindow-size 16", "16"},
		{"gzip -Xwindow-size wide", "wide"},
		{"gzip -Xstrategy default,rle", "rle"},
		{"xz -Xbcj native,", ""},
		{"xz -Xbcj Native", "Native"},
		{"lz4 -Xbcj x86", "-Xbcj"},
		{"zstd -Xbcj native", "-Xbcj"},
		{"none -Xhc", "-Xhc"},
		{"zstd -b", "-b"},
		{"zstd -b 2K", "2K"},
		{"zstd -b 2M", "2M"},
		{"zstd -b 100K", "100K"},
		{"zstd -b 1G", "1G"},
		{"zstd -b K", "K"},
		{"zstd -b 9999M", "9999M"},
		{"zstd -no-fragments", "-no-fragments"},
		{"zstd -b 1M extra", "extra"},
	} {
		s, err := Parse(test.text)
		var fault *SettingsError
		if !errors.As(err, &fault) {
			t.Errorf("Parse(%q) = %+v, %v, want a SettingsError", test.text, s, err)
			continue
		}
		if fault.Word != test.word || fault.Text != test.text || fault.Reason == "" {
			t.Errorf("Parse(%q) = error %+v, want word %q", test.text, *fault, test.word)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		s         Settings
		blockSize int
	}{
		{Settings{}, DefaultBlockSize},
		{Settings{Name: Zstd}, 1},
		{Settings{Name: Zstd}, 2 << 10},
		{Settings{Name: Zstd}, 2 << 20},
		{Settings{Name: Zstd}, 1<<20 - 1},
		{Settings{Name: Zstd}, -1 << 20},
		{Settings{Name: Zstd, Level: 23}, DefaultBlockSize},
		{Settings{Name: Zstd, Level: -1}, DefaultBlockSize},
		{Settings{Name: Zstd, BlockSize: 128 << 10}, DefaultBlockSize},
		{Settings{Name: Zstd, BCJ: X86}, DefaultBlockSize},
		{Settings{Name: Zstd, NativeBCJ: true}, DefaultBlockSize},
		{Settings{Name: Zstd, DictSize: 64 << 10}, DefaultBlockSize},
		{Settings{Name: XZ, DictSize: 256 << 10}, 128 << 10},
		{Settings{Name: XZ, DictPercent: 33}, DefaultBlockSize},
		{Settings{Name: XZ, DictPercent: 50}, 8 << 10},
		{Settings{Name: XZ, BCJ: 1 << 20}, DefaultBlockSize},
	} {
		var fault *SettingsError
		if _, err := New(test.s, test.blockSize); !errors.As(err, &fault) {
			t.Errorf("New(%q, %d) = %v, want a SettingsError", test.s, test.blockSize, err)
		}
	}
}

// TestNativeFilters refuses to pack with filters that are not known yet, and has them named.
func TestNativeFilters(t *testing.T) {
	s := Settings{Name: XZ, BCJ: ARM, NativeBCJ: true}
	var fault *SettingsError
	if _, err := New(s, 0); !errors.As(err, &fault) || fault.Word != native || !strings.Contains(fault.Reason, "arm64") {
		t.Errorf("New(%q) = %v", s, err)
	}
	for _, test := range []struct {
		filters Filters
		want    string
	}{{0, "xz -Xbcj arm"}, {X86, "xz -Xbcj x86,arm"}, {ARM | ARMThumb, "xz -Xbcj arm,armthumb"}} {
		if got := s.Resolved(test.filters).String(); got != test.want {
			t.Errorf("with %q it is %q, want %q", test.filters, got, test.want)
		}
	}
	if plain := (Settings{Name: XZ, BCJ: ARM}); plain.Resolved(X86) != plain {
		t.Errorf("filters by name became %q", plain.Resolved(X86))
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"zstd:19", "lz4:hc -b 128K", "none", "gzip -Xcompression-level 9 -Xwindow-size 15 -Xstrategy default,fixed",
		"xz:9 -Xdict-size 37.5% -Xbcj x86,arm64 -b 1M", "xz -Xdict-size 96K", "zstd -Xcompression-level", "xz -Xbcj x86,",
		"xz -Xbcj arm64,native -b 64K",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			var fault *SettingsError
			if !errors.As(err, &fault) || fault.Text != text {
				t.Fatalf("Parse(%q) = %v, want a SettingsError about it", text, err)
			}
			return
		}
		if again, err := Parse(s.String()); err != nil || again != s {
			t.Fatalf("Parse(%q) = %+v, but Parse(%q) = %+v, %v", text, s, s.String(), again, err)
		}
	})
}

// TestRanges holds the list of compressors and levels against what is taken.
func TestRanges(t *testing.T) {
	for _, r := range Ranges() {
		if s, err := Parse(r.Name); err != nil || s.effective().Level != r.Default {
			t.Errorf("%s by default is %+v, %v, want level %d", r.Name, s.effective(), err, r.Default)
		}
		for _, level := range []int{r.Min - 1, r.Min, r.Max, r.Max + 1} {
			_, err := Parse(fmt.Sprintf("%s:%d", r.Name, level))
			if inside := r.Max > 0 && level >= r.Min && level <= r.Max; (err == nil) != inside {
				t.Errorf("%s:%d: %v", r.Name, level, err)
			}
		}
	}
}
