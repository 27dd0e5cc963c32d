//go:build cgo

package codec

/*
#cgo LDFLAGS: -llzma
#include <stdlib.h>
#include <lzma.h>
#ifndef _WIN32
#include <sys/mman.h>
#endif

// liblzma 5.4 and 5.6 brought these filters; older headers do not know them.
#ifndef LZMA_FILTER_ARM64
#define LZMA_FILTER_ARM64 LZMA_VLI_C(0x0A)
#endif
#ifndef LZMA_FILTER_RISCV
#define LZMA_FILTER_RISCV LZMA_VLI_C(0x0B)
#endif

// filter_id returns liblzma's id of a bit of Filters.
static lzma_vli filter_id(unsigned bit) {
	static const lzma_vli ids[] = {
		LZMA_FILTER_X86, LZMA_FILTER_POWERPC, LZMA_FILTER_IA64, LZMA_FILTER_ARM,
		LZMA_FILTER_ARMTHUMB, LZMA_FILTER_SPARC, LZMA_FILTER_ARM64, LZMA_FILTER_RISCV,
	};
	return bit < sizeof ids / sizeof *ids ? ids[bit] : LZMA_VLI_UNKNOWN;
}

typedef struct { lzma_ret code; size_t read, written; } xz_result;

// run_block does the whole of a block with an initialised coder. No pointer stays behind in s.
static xz_result run_block(lzma_stream *s, const uint8_t *src, size_t n, uint8_t *dst, size_t room) {
	xz_result r = {0};
	s->next_in = src, s->avail_in = n;
	s->next_out = dst, s->avail_out = room;
	r.code = lzma_code(s, LZMA_FINISH);
	r.read = s->total_in, r.written = s->total_out;
	s->next_in = NULL, s->avail_in = 0;
	s->next_out = NULL, s->avail_out = 0;
	return r;
}

// How a block is encoded: the preset, the size of the dictionary, the filter before it,
// LZMA_VLI_UNKNOWN for none, and the literal and position bits. If it is not 0, search is how many bytes
// are compared by a hash of them, with how long a match is long enough, and how many are looked at.
typedef struct {
	uint32_t preset, dict_size;
	lzma_vli filter;
	uint32_t lc, lp, pb;
	uint32_t search, nice_len, depth;
} xz_way;

// encode_block makes an xz stream with the one check that Linux' decoder has. With a filter of an
// architecture of fixed alignment, literal and position bits follow that, as mksquashfs sets them.
static xz_result encode_block(lzma_stream *s, xz_way way,
		const uint8_t *src, size_t n, uint8_t *dst, size_t room) {
	xz_result r = {0};
	lzma_options_lzma lzma2;
	if (lzma_lzma_preset(&lzma2, way.preset)) {
		r.code = LZMA_OPTIONS_ERROR;
		return r;
	}
	lzma2.dict_size = way.dict_size;
	lzma2.lc = way.lc, lzma2.lp = way.lp, lzma2.pb = way.pb;
	if (way.search) {
		lzma2.mf = way.search == 3 ? LZMA_MF_BT3 : LZMA_MF_BT4;
		lzma2.nice_len = way.nice_len, lzma2.depth = way.depth;
	}
	switch (way.filter) {
	case LZMA_FILTER_ARMTHUMB:
	case LZMA_FILTER_RISCV:
		lzma2.lc = 3, lzma2.lp = 1, lzma2.pb = 2;
		break;
	case LZMA_FILTER_POWERPC:
	case LZMA_FILTER_ARM:
	case LZMA_FILTER_SPARC:
	case LZMA_FILTER_ARM64:
		lzma2.lc = 2, lzma2.lp = 2, lzma2.pb = 2;
		break;
	case LZMA_FILTER_IA64:
		lzma2.lc = 0, lzma2.lp = 4, lzma2.pb = 4;
		break;
	}
	lzma_filter chain[] = {
		{ .id = way.filter, .options = NULL },
		{ .id = LZMA_FILTER_LZMA2, .options = &lzma2 },
		{ .id = LZMA_VLI_UNKNOWN, .options = NULL },
	};
	r.code = lzma_stream_encoder(s, way.filter == LZMA_VLI_UNKNOWN ? chain + 1 : chain, LZMA_CHECK_CRC32);
	return r.code == LZMA_OK ? run_block(s, src, n, dst, room) : r;
}

static xz_result decode_block(lzma_stream *s, uint64_t memory_limit,
		const uint8_t *src, size_t n, uint8_t *dst, size_t room) {
	xz_result r = { .code = lzma_stream_decoder(s, memory_limit, 0) };
	return r.code == LZMA_OK ? run_block(s, src, n, dst, room) : r;
}

#ifndef _WIN32
// A change of filter frees an encoder of 16 MB and allocates another one, on whatever thread; glibc
// would keep some of them for each thread. So what is large comes from the system and goes back to it.
enum { LARGE = 1 << 20, SIZE_ROOM = 64 }; // room for the size, without harm to the alignment

static void *take(void *unused, size_t count, size_t size) {
	(void)unused;
	if (size > (SIZE_MAX - SIZE_ROOM) / count) // count is always 1 (lzma/base.h, lzma_allocator)
		return NULL;
	size = count * size + SIZE_ROOM;
	size_t *p = size < LARGE ? malloc(size)
		: mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
	if (p == NULL || p == MAP_FAILED)
		return NULL;
	*p = size;
	return (char *)p + SIZE_ROOM;
}

static void give_back(void *unused, void *given) {
	(void)unused;
	if (given == NULL)
		return;
	size_t *p = (size_t *)((char *)given - SIZE_ROOM);
	if (*p < LARGE)
		free(p);
	else
		munmap(p, *p);
}

static const lzma_allocator allocator = { .alloc = take, .free = give_back };
#define ALLOCATOR &allocator
#else
#define ALLOCATOR NULL
#endif

static lzma_stream *new_stream(void) {
	static const lzma_stream init = LZMA_STREAM_INIT;
	lzma_stream *s = malloc(sizeof *s);
	if (s) {
		*s = init;
		s->allocator = ALLOCATOR;
	}
	return s;
}

static void free_stream(lzma_stream *s) {
	lzma_end(s);
	free(s);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"unsafe"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/branch"
)

// xzDecoderMemory bounds what a stream may make liblzma allocate for decoding, as unsquashfs does
// (MEMLIMIT in xz_wrapper.h). A block needs its dictionary and some 64 KiB.
const xzDecoderMemory = 32 << 20

// xzGeneration counts the changes to what levels mean and which properties and filters blocks and tables
// get. It has to grow with each, since equal identities promise equal bytes.
const xzGeneration = 3

// xzBackend compresses and decompresses xz streams with liblzma.
func xzBackend(s Settings) (backend, error) {
	return backend{
		library:         fmt.Sprintf("liblzma %s, choices %d", C.GoString(C.lzma_version_string()), xzGeneration),
		newCompressor:   func() compressor { return newXZCompressor(s) },
		newDecompressor: func() decompressor { return &xzDecompressor{newXZStream()} },
		slow:            true,
	}, nil
}

// checkFilters returns an error if liblzma lacks one of the filters.
func checkFilters(filters Filters) error {
	for rest := filters; rest != 0; rest &= rest - 1 {
		bit := bits.TrailingZeros32(uint32(rest))
		if C.lzma_filter_encoder_is_supported(C.filter_id(C.uint(bit))) == 0 {
			return &UnsupportedError{Name: "xz -Xbcj " + filterNames[bit],
				Reason: "liblzma " + C.GoString(C.lzma_version_string()) + " does not have the filter"}
		}
	}
	return nil
}

// xzStream owns a lzma_stream, whose memory liblzma keeps from block to block.
type xzStream struct {
	s *C.lzma_stream
}

func newXZStream() *xzStream {
	s := &xzStream{C.new_stream()}
	if s.s == nil {
		panic("codec: no memory for an xz stream")
	}
	runtime.AddCleanup(s, func(s *C.lzma_stream) { C.free_stream(s) }, s.s)
	return s
}

type xzCompressor struct {
	stream   *xzStream
	trial    *xzStream // for trials of properties, whose encoder is another one; nil before the first
	part     []byte    // of a block, on trial
	preset   C.uint32_t
	dictSize int
	filters  Filters
	branches branch.Counter
	spare    []byte // the result of the filter or of the properties on trial
}

func newXZCompressor(s Settings) *xzCompressor {
	return &xzCompressor{
		stream:   newXZStream(),
		preset:   C.uint32_t(s.Level),
		dictSize: s.dictSize(),
		filters:  s.BCJ,
		spare:    make([]byte, max(s.BlockSize, metadataSize)),
	}
}

// compress uses the filter that pays for the block, if one does. Of filters of which that is not known
// beforehand it keeps the shortest of what they give, the earlier of equals.
func (c *xzCompressor) compress(dst, src []byte) (int, error) {
	if len(src) <= metadataSize {
		return c.compressTable(dst, src)
	}
	properties, err := c.propertiesOf(src)
	if err != nil {
		return 0, err
	}
	filter, unclear := filterFor(&c.branches, c.filters, src)
	best, err := c.stream.encode(dst, src, c.filtered(filter, len(src), properties))
	if err != nil {
		return 0, err
	}
	for ; unclear != 0; unclear &= unclear - 1 {
		room := len(dst)
		if best > 0 {
			room = best - 1
		}
		n, err := c.stream.encode(c.spare[:room], src, c.filtered(unclear&-unclear, len(src), properties))
		if err != nil {
			return 0, err
		}
		if n > 0 {
			best = copy(dst, c.spare[:n])
		}
	}
	return best, nil
}

// compressTable compresses a block of a table, which is made anew for every image. No filter has a use
// for it.
func (c *xzCompressor) compressTable(dst, src []byte) (int, error) {
	way := c.way(len(src), xzTable)
	if way.search != 0 {
		setSearch(&way, xzTableSearch)
	}
	return c.stream.encode(dst, src, way)
}

// propertiesOf returns the properties for a block.
func (c *xzCompressor) propertiesOf(src []byte) (xzProperties, error) {
	best, words := propertiesOf(&c.branches, src)
	if !words || len(src) < trialMin {
		return best, nil
	}
	c.part = trialOf(c.part[:0], src)
	usual, err := c.try(c.part, best)
	if err != nil {
		return best, err
	}
	n, err := c.try(c.part, xzWords)
	if err == nil && float64(n) < float64(usual)*(1-trialGain) {
		best = xzWords
	}
	return best, err
}

// try returns how long a part of a block becomes with some properties by the fastest preset.
func (c *xzCompressor) try(part []byte, properties xzProperties) (int, error) {
	if c.trial == nil {
		c.trial = newXZStream()
	}
	way := c.way(len(part), properties)
	way.preset, way.search = 0, 0
	n, err := c.trial.encode(c.spare, part, way)
	if n == 0 {
		n = len(part)
	}
	return n, err
}

// way is how a block of n bytes is encoded without a filter.
func (c *xzCompressor) way(n int, p xzProperties) C.xz_way {
	way := C.xz_way{
		preset:    c.preset,
		dict_size: C.uint32_t(c.dictFor(n)),
		filter:    C.LZMA_VLI_UNKNOWN,
		lc:        C.uint32_t(p.lc),
		lp:        C.uint32_t(p.lp),
		pb:        C.uint32_t(p.pb),
	}
	if s, ok := xzSearches[int(c.preset)]; ok {
		setSearch(&way, s)
	}
	return way
}

func setSearch(way *C.xz_way, s xzSearch) {
	way.search, way.nice_len, way.depth = C.uint32_t(s.bytes), C.uint32_t(s.nice), C.uint32_t(s.depth)
}

// filtered is how a block of n bytes is encoded with a filter, or without one.
func (c *xzCompressor) filtered(f Filters, n int, p xzProperties) C.xz_way {
	way := c.way(n, p)
	if f != 0 {
		way.filter = C.filter_id(C.uint(bits.TrailingZeros32(uint32(f))))
	}
	return way
}

// encode returns the length of the stream it wrote to dst, 0 if dst is too short for it.
func (s *xzStream) encode(dst, src []byte, way C.xz_way) (int, error) {
	r := C.encode_block(s.s, way,
		(*C.uint8_t)(unsafe.SliceData(src)), C.size_t(len(src)),
		(*C.uint8_t)(unsafe.SliceData(dst)), C.size_t(len(dst)))
	runtime.KeepAlive(s)
	switch r.code {
	case C.LZMA_STREAM_END:
		return int(r.written), nil
	case C.LZMA_OK, C.LZMA_BUF_ERROR:
		return 0, nil
	}
	return 0, xzError(r.code)
}

// dictFor returns the dictionary for a block of n bytes. More than the block is never used, but
// liblzma clears tables in proportion, which is most of the work for a metadata block.
func (c *xzCompressor) dictFor(n int) int {
	return min(c.dictSize, max(metadataSize, 1<<bits.Len(uint(n-1))))
}

type xzDecompressor struct {
	stream *xzStream
}

func (d *xzDecompressor) decompress(dst, src []byte) (int, error) {
	r := C.decode_block(d.stream.s, xzDecoderMemory,
		(*C.uint8_t)(unsafe.SliceData(src)), C.size_t(len(src)),
		(*C.uint8_t)(unsafe.SliceData(dst)), C.size_t(len(dst)))
	runtime.KeepAlive(d.stream)
	switch {
	case r.code == C.LZMA_OK || r.code == C.LZMA_BUF_ERROR:
		return 0, fmt.Errorf("truncated xz stream, or more than %d bytes", len(dst))
	case r.code != C.LZMA_STREAM_END:
		return 0, xzError(r.code)
	case int(r.read) != len(src):
		return 0, fmt.Errorf("%d bytes after the end of the xz stream", len(src)-int(r.read))
	}
	return int(r.written), nil
}

// xzError translates the codes of liblzma that can occur.
func xzError(code C.lzma_ret) error {
	switch code {
	case C.LZMA_MEM_ERROR:
		return errors.New("no memory for liblzma")
	case C.LZMA_MEMLIMIT_ERROR:
		return fmt.Errorf("xz stream needs more than %d bytes of memory", xzDecoderMemory)
	case C.LZMA_FORMAT_ERROR:
		return errors.New("not an xz stream")
	case C.LZMA_OPTIONS_ERROR:
		return errors.New("xz stream with options that liblzma does not know")
	case C.LZMA_DATA_ERROR:
		return errors.New("damaged xz stream")
	}
	return fmt.Errorf("liblzma error %d", code)
}
