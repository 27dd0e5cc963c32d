package codec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkEncode and BenchmarkDecode run over programs and libraries of this system, in blocks of
// 1 MiB, one goroutine. "ratio" is compressed to plain size.
func BenchmarkEncode(b *testing.B) {
	blocks := systemBlocks(b)
	for _, s := range benchSettings(b) {
		b.Run(s.String(), func(b *testing.B) {
			c := mustNew(b, s, DefaultBlockSize)
			e, dst := c.NewEncoder(), make([]byte, c.Bound())
			var plain, packed int
			b.SetBytes(DefaultBlockSize)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				src := blocks[i%len(blocks)]
				n, err := e.Encode(dst, src)
				if err != nil {
					b.Fatal(err)
				}
				if n == 0 {
					n = len(src)
				}
				plain, packed = plain+len(src), packed+n
			}
			b.ReportMetric(float64(packed)/float64(plain), "ratio")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	blocks := systemBlocks(b)
	for _, s := range benchSettings(b) {
		b.Run(s.String(), func(b *testing.B) {
			c := mustNew(b, s, DefaultBlockSize)
			var packed [][]byte
			for _, src := range blocks[:4] {
				if block := encodeBlock(b, c.NewEncoder(), src); block != nil {
					packed = append(packed, block)
				}
			}
			d, dst := c.NewDecoder(), make([]byte, DefaultBlockSize)
			b.SetBytes(DefaultBlockSize)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := d.Decode(dst, packed[i%len(packed)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchSettings(b *testing.B) []Settings {
	var all []Settings
	for _, text := range []string{"lz4", "lz4:9", "lz4:hc", "gzip:1", "gzip:6", "gzip:9", "gzip:12",
		"zstd:1", "zstd:3", "zstd:6", "zstd:9", "zstd:15", "zstd:19", "zstd:22", "xz:1", "xz", "xz -Xbcj x86"} {
		s, err := Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		if s.Name != XZ || haveXZ {
			all = append(all, s)
		}
	}
	return all
}

// systemBlocks returns the first 16 whole blocks of the files below /usr, in lexical order.
func systemBlocks(b *testing.B) [][]byte {
	const count = 16
	var data []byte
	enough := errors.New("enough")
	err := filepath.WalkDir("/usr", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if data = append(data, content...); len(data) >= count*DefaultBlockSize {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		b.Fatalf("/usr does not hold %d MiB: %v", count, err)
	}
	var blocks [][]byte
	for i := range count {
		blocks = append(blocks, data[i*DefaultBlockSize:][:DefaultBlockSize])
	}
	return blocks
}
