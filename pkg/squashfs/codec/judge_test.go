package codec

import (
	"bytes"
	stdzlib "compress/zlib"
	"encoding/binary"
	"io"
	"os/exec"
	"strconv"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

// otherMaker is somebody else's implementation of a format, for whole blocks.
type otherMaker struct {
	expand func(t *testing.T, block []byte) []byte
	pack   func(t *testing.T, data []byte) []byte
}

// judges are by compressor. The lz4 tool reads and writes blocks in its legacy frame format.
var judges = map[string]otherMaker{
	Gzip: {
		expand: func(t *testing.T, block []byte) []byte {
			r, err := stdzlib.NewReader(bytes.NewReader(block))
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Errorf("compress/zlib: %v", err)
			}
			return data
		},
		pack: func(t *testing.T, data []byte) []byte {
			var b bytes.Buffer
			w := stdzlib.NewWriter(&b)
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		},
	},
	XZ: {
		expand: func(t *testing.T, block []byte) []byte {
			return filter(t, "xz-utils", block, "xz", "--decompress", "--stdout", "--format=xz")
		},
		pack: func(t *testing.T, data []byte) []byte {
			return filter(t, "xz-utils", data, "xz", "--stdout", "--check=crc32")
		},
	},
	Zstd: {
		expand: func(t *testing.T, block []byte) []byte {
			return filter(t, "zstd", block, "zstd", "--decompress", "--stdout")
		},
		pack: func(t *testing.T, data []byte) []byte {
			return filter(t, "zstd", data, "zstd", "--stdout", "--ultra", "-22",
				"--stream-size="+strconv.Itoa(len(data))) // else the window is that of an endless stream
		},
	},
	LZ4: {
		expand: func(t *testing.T, block []byte) []byte {
			frame, err := binary.Append(nil, binary.LittleEndian, lz4Frame{lz4LegacyMagic, uint32(len(block))})
			if err != nil {
				t.Fatal(err)
			}
			return filter(t, "lz4", append(frame, block...), "lz4", "-d", "-c")
		},
		pack: func(t *testing.T, data []byte) []byte {
			frame := filter(t, "lz4", data, "lz4", "-l", "-9", "-c")
			return frame[binary.Size(lz4Frame{}):]
		},
	},
}

// lz4Frame begins a legacy frame (lz4_Frame_format.md, "Legacy frame"); the block follows.
type lz4Frame struct{ Magic, BlockSize uint32 }

const lz4LegacyMagic = 0x184C2102

// filter runs a command of a Debian package with the given input and returns its output.
func filter(t *testing.T, pkg string, in []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(judge.Path(t, pkg, name), args...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v: %s", name, err, errs.Bytes())
	}
	return out
}

// Other implementations read what encoders write, and decoders read what they write.
func TestJudges(t *testing.T) {
	const blockSize = DefaultBlockSize
	for _, s := range testSettings(t) {
		if s.Name == None {
			continue
		}
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			c := mustNew(t, s, blockSize)
			e, d, other := c.NewEncoder(), c.NewDecoder(), judges[s.Name]
			for _, test := range []struct {
				kind string
				size int
			}{{"text", 1000}, {"zero", blockSize}, {"mixed", blockSize / 4}} {
				src := testData(test.kind, test.size)
				block := encodeBlock(t, e, src)
				if block == nil {
					t.Errorf("%d bytes of %s did not shrink", test.size, test.kind)
					continue
				}
				if got := other.expand(t, block); !bytes.Equal(got, src) {
					t.Errorf("%d bytes of %s: the judge reads %d other bytes", test.size, test.kind, len(got))
				}
				got, err := decodeGuarded(t, d, test.size, other.pack(t, src))
				if err != nil || !bytes.Equal(got, src) {
					t.Errorf("%d bytes of %s packed by the judge: %d bytes, %v", test.size, test.kind, len(got), err)
				}
			}
		})
	}
}
