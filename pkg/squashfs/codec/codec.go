// Package codec compresses and decompresses the blocks of a SquashFS 4.0 image.
//
// A SquashFS image uses one compressor for everything. This package has the four that live
// systems are built with: gzip (a zlib stream, in truth), xz, lz4 and zstd, and none. It also reads
// lzo, the last of those that Linux reads; lzma, which it does not, is known by name only. A block is compressed on its own, with a size
// known beforehand, so there are no streams here.
//
// With cgo the work is done by libdeflate, liblzma, liblz4 and libzstd; without it by pure Go
// libraries, which reach the same formats at a lower ratio, and xz is only read. Block data of
// zstd and lz4 is decompressed in Go in both cases.
//
// [Settings] are what a person chooses, read by [Parse] from a short form ("zstd:19") or from
// mksquashfs' words ("xz -Xdict-size 100% -Xbcj x86"). [New] makes a [Codec] of them, [Open] makes
// one from what an image says about itself. The payloads that describe a compressor inside the image
// follow squashfs-tools 4.7 (gzip_wrapper.c, xz_wrapper.c, lz4_wrapper.c, zstd_wrapper.c) and the
// checks of Linux' fs/squashfs.
package codec

import (
	"cmp"
	"errors"
	"fmt"
)

// Block sizes that SquashFS allows, powers of two, in bytes (SQUASHFS_FILE_MAX_SIZE), and the one
// that NixOS images have.
const (
	MinBlockSize     = 4 << 10
	MaxBlockSize     = 1 << 20
	DefaultBlockSize = 1 << 20
)

// metadataSize is SQUASHFS_METADATA_SIZE, the largest metadata block and so the smallest size that
// every encoder accepts, whatever the block size.
const metadataSize = 8 << 10

// Codec is a compressor with its settings: immutable and safe for concurrent use.
// The work is done by the encoders and decoders that it makes.
type Codec struct {
	settings Settings
	id       uint16
	options  []byte
	backend  backend
}

// backend is a compression library with settings applied.
type backend struct {
	library         string          // name and version, and the library's own level where it differs
	bound           func(n int) int // room that compressing n bytes needs; nil: n suffices
	newCompressor   func() compressor
	newDecompressor func() decompressor
	slow            bool  // ten times slower than a probe
	refusal         error // why it does not compress, nil if it does
}

// compressor compresses src, which is not empty, into dst and returns how many bytes of dst that
// took, 0 when dst is too short. It may use bound(len(src)) bytes of dst and no more.
type compressor interface {
	compress(dst, src []byte) (int, error)
}

// decompressor decompresses the whole of src, which is not empty, into dst, which is not empty
// either, and returns how many bytes it wrote. Trailing bytes in src are an error.
type decompressor interface {
	decompress(dst, src []byte) (int, error)
}

// New returns the codec for s in an image of the given block size, which must be s.BlockSize if s
// names one. 0 stands for that one, or else for [DefaultBlockSize]. The error is a [*SettingsError] if s makes no sense, an [*UnsupportedError] if this
// build cannot do it.
func New(s Settings, blockSize int) (*Codec, error) {
	if blockSize == 0 {
		blockSize = cmp.Or(s.BlockSize, DefaultBlockSize)
	}
	if s.BlockSize != 0 && s.BlockSize != blockSize {
		return nil, s.fault(formatSize(s.BlockSize), "the image has blocks of %s", formatSize(blockSize))
	}
	s.BlockSize = blockSize
	if err := s.checkForImage(); err != nil {
		return nil, err
	}
	if err := checkFilters(s.BCJ); err != nil {
		return nil, err
	}
	c, err := newCodec(s)
	if err == nil && c.backend.refusal != nil {
		return nil, c.backend.refusal
	}
	return c, err
}

// Default returns the codec of those who do not care: zstd at its default level, with blocks of
// [DefaultBlockSize], which every build has.
func Default() (*Codec, error) { return New(Settings{Name: Zstd}, 0) }

// Open returns the codec of an existing image from its superblock's compressor id and block size,
// and from its compressor options payload, empty if the image has none. Its settings are those that
// the image was made with, as far as the payload tells: an uncompressed image opens as gzip, and
// options that do not matter for reading are brought into range. The error is an [*UnsupportedError]
// for a compressor that this build lacks.
func Open(id uint16, options []byte, blockSize int) (*Codec, error) {
	s, err := parseOptions(id, options, blockSize)
	if err != nil {
		return nil, err
	}
	if err := s.checkForImage(); err != nil {
		return nil, err
	}
	return newCodec(s)
}

// newCodec makes the codec for checked settings with a block size.
func newCodec(s Settings) (*Codec, error) {
	s = s.effective()
	c := &Codec{settings: s, id: methodOf(s.Name).id}
	var err error
	switch s.Name {
	case None:
		c.backend = gzipBackend(0)
		c.backend.library, c.backend.newCompressor = "", nil
	case Gzip:
		c.backend = gzipBackend(s.Level)
	case XZ:
		c.backend, err = xzBackend(s)
	case LZ4:
		c.backend = lz4Backend(s.Level)
	case Zstd:
		c.backend = zstdBackend(s.Level, s.BlockSize)
	case LZO:
		c.backend = lzoBackend()
	}
	if err != nil {
		return nil, err
	}
	c.options, err = formatOptions(s)
	if err != nil {
		return nil, fmt.Errorf("encoding the %s options: %w", s.Name, err)
	}
	return c, nil
}

// ID returns the compressor id for the superblock. An uncompressed image carries gzip's.
func (c *Codec) ID() uint16 { return c.id }

// Options returns the compressor options payload for the image, without a metadata header, or nil if
// the image carries none because the compressor's defaults hold.
func (c *Codec) Options() []byte { return append([]byte(nil), c.options...) }

// Settings returns the settings in effect: the level and the block size are filled in.
func (c *Codec) Settings() Settings { return c.settings }

// Stores reports whether the codec is none: every block is stored as it is.
func (c *Codec) Stores() bool { return c.settings.Name == None }

// Reach returns how far back in a block, in bytes, the compressor finds data again, at most the block
// size.
func (c *Codec) Reach() int {
	reach := c.settings.BlockSize
	for _, limit := range []int{methodOf(c.settings.Name).reach, c.settings.DictSize} {
		if limit != 0 {
			reach = min(reach, limit)
		}
	}
	return reach
}

// Identity names everything that compressed bytes depend on besides the data: the settings in
// effect, the library and its version. Codecs of equal identity make equal bytes.
// libdeflate's version is the one of the header that the program was built with, because the library
// cannot be asked; link it statically where that matters.
func (c *Codec) Identity() string {
	if c.backend.library == "" {
		return c.settings.String()
	}
	return c.settings.String() + " (" + c.backend.library + ")"
}

// Bound returns the length of dst that [Encoder.Encode] needs for any block of the image. It is the
// block size or a little more, as some libraries compress in place only if the worst case fits.
func (c *Codec) Bound() int {
	largest := max(c.settings.BlockSize, metadataSize)
	if c.backend.bound == nil {
		return largest
	}
	return c.backend.bound(largest)
}

// NewEncoder returns an encoder, to be used by one goroutine at a time. It keeps the library's
// context and buffers, which are released when the encoder is no longer reachable.
func (c *Codec) NewEncoder() *Encoder {
	e := &Encoder{codec: c}
	if c.backend.newCompressor != nil {
		e.compressor = c.backend.newCompressor()
	}
	if c.backend.slow {
		e.probe = newProbe()
	}
	return e
}

// NewDecoder returns a decoder, to be used by one goroutine at a time, which keeps the library's
// context as an encoder does.
func (c *Codec) NewDecoder() *Decoder {
	return &Decoder{codec: c, decompressor: c.backend.newDecompressor()}
}

// Encoder compresses the blocks of one image, one after another; what it makes of a block does not
// depend on the blocks before it.
type Encoder struct {
	codec      *Codec
	compressor compressor
	probe      compressor // nil if there is none
}

// probeMin is the length of a block from which a probe is worth its time, in bytes.
const probeMin = 64 << 10

// Encode compresses src, a data, fragment or metadata block, into dst, which must have the length
// [Codec.Bound], and returns the length of the result. It returns 0 if the result would not be
// shorter than src: such a block is stored as it is. Bytes of dst beyond the result are undefined.
func (e *Encoder) Encode(dst, src []byte) (int, error) {
	name := e.codec.settings.Name
	if err := e.codec.backend.refusal; err != nil {
		return 0, err
	}
	if largest := max(e.codec.settings.BlockSize, metadataSize); len(src) > largest {
		return 0, fmt.Errorf("compressing with %s: block of %d bytes, at most %d are allowed", name, len(src), largest)
	}
	if bound := e.codec.Bound(); len(dst) < bound {
		return 0, fmt.Errorf("compressing with %s: destination of %d bytes, %d are needed", name, len(dst), bound)
	}
	if e.compressor == nil || len(src) == 0 {
		return 0, nil
	}
	room := len(src) - 1
	if e.codec.backend.bound != nil {
		room = e.codec.backend.bound(len(src))
	}
	if e.probe != nil && len(src) >= probeMin {
		// What a fast compressor cannot shorten by a byte is compressed already, or encrypted: firmware,
		// kernel modules, pictures. The slow ones would take as long for it as for anything else.
		if n, err := e.probe.compress(dst[:len(src)-1:len(src)-1], src); err == nil && n == 0 {
			return 0, nil
		}
	}
	n, err := e.compressor.compress(dst[:room:room], src)
	if err != nil {
		return 0, fmt.Errorf("compressing with %s: %w", name, err)
	}
	if n >= len(src) {
		return 0, nil
	}
	return n, nil
}

// Decoder decompresses the blocks of one image.
type Decoder struct {
	codec        *Codec
	decompressor decompressor
}

// Errors that a Decoder finds by itself.
var (
	errEmptyBlock = errors.New("compressed block is empty")
	errNoRoom     = errors.New("compressed block where no data is expected")
)

// Decode decompresses src, one compressed block and nothing else, into dst and returns how many
// bytes that gave. It never writes beyond len(dst); a block that holds more than that, or that is
// damaged, is an error, and the contents of dst are then undefined.
func (d *Decoder) Decode(dst, src []byte) (int, error) {
	var n int
	var err error
	switch {
	case len(src) == 0:
		err = errEmptyBlock
	case len(dst) == 0:
		err = errNoRoom
	default:
		n, err = d.decompressor.decompress(dst[:len(dst):len(dst)], src)
	}
	if err != nil {
		return 0, fmt.Errorf("decompressing with %s: %w", d.codec.settings.Name, err)
	}
	return n, nil
}

// UnsupportedError says that this build cannot do a compression, though it may be a good one.
type UnsupportedError struct {
	Name   string // of the compressor or of one of its filters
	Reason string
}

func (e *UnsupportedError) Error() string { return e.Name + " compression: " + e.Reason }
