package codec

import (
	"encoding/binary"
	"fmt"
)

// Compressor ids of the superblock (squashfs_fs.h).
const (
	idGzip = 1 // ZLIB_COMPRESSION
	idLZMA = 2 // LZMA_COMPRESSION
	idLZO  = 3 // LZO_COMPRESSION
	idXZ   = 4 // XZ_COMPRESSION
	idLZ4  = 5 // LZ4_COMPRESSION
	idZstd = 6 // ZSTD_COMPRESSION
)

// gzipOptions is struct gzip_comp_opts (squashfs-tools, gzip_wrapper.h).
type gzipOptions struct {
	CompressionLevel int32
	WindowSize       int16
	Strategy         int16 // a set of strategies, none for the default
}

// Ranges in gzipOptions. Readers refuse a level above gzipRecordedLevel, which is also the default.
const (
	gzipMinLevel      = 1
	gzipRecordedLevel = 9
	gzipMinWindow     = 8
	gzipWindow        = 15
)

// xzOptions is struct comp_opts (squashfs-tools, xz_wrapper.h).
type xzOptions struct {
	DictionarySize int32
	Flags          Filters
}

// lz4Options is struct lz4_comp_opts_v1 (squashfs-tools, lz4_wrapper.h), which lz4 images always
// carry. Version 2 of the struct, read here but not written because older tools refuse its flag,
// adds lz4Level.
type lz4Options struct {
	Version int32
	Flags   int32
}

// lz4Level is the rest of struct lz4_comp_opts_v2: the level under high compression, else the
// acceleration.
type lz4Level struct {
	Data int32
}

// Values in lz4Options.
const (
	lz4Legacy     = 1      // LZ4_LEGACY, the only stream format
	lz4HC         = 1 << 0 // LZ4_HC
	lz4NonDefault = 1 << 1 // LZ4_NON_DEFAULT: lz4Level follows
)

// zstdOptions is struct zstd_comp_opts (squashfs-tools, zstd_wrapper.h).
type zstdOptions struct {
	CompressionLevel int32
}

// formatOptions returns the payload that describes effective settings, nil for the defaults.
// Levels that the payload has no place for (gzip above 9, xz, lz4 below hc) are left out: readers
// need none of them.
func formatOptions(s Settings) ([]byte, error) {
	switch s.Name {
	case Gzip:
		level := min(s.Level, gzipRecordedLevel)
		if level == gzipRecordedLevel {
			return nil, nil
		}
		return encode(gzipOptions{CompressionLevel: int32(level), WindowSize: gzipWindow})
	case XZ:
		if s.DictSize == 0 && s.BCJ == 0 {
			return nil, nil
		}
		return encode(xzOptions{DictionarySize: int32(s.dictSize()), Flags: s.BCJ})
	case LZ4:
		opts := lz4Options{Version: lz4Legacy}
		if s.Level > methodOf(LZ4).level {
			opts.Flags = lz4HC
		}
		return encode(opts)
	case Zstd:
		if s.Level == methodOf(Zstd).level {
			return nil, nil
		}
		return encode(zstdOptions{CompressionLevel: int32(s.Level)})
	}
	return nil, nil
}

// parseOptions reads the payload of an image with the given compressor id; an empty payload stands
// for the defaults. What Linux and unsquashfs ignore is ignored here.
func parseOptions(id uint16, payload []byte, blockSize int) (Settings, error) {
	switch id {
	case idGzip:
		s := Settings{Name: Gzip, BlockSize: blockSize}
		if len(payload) == 0 {
			return s, nil
		}
		var opts gzipOptions
		if err := decode(payload, &opts); err != nil {
			return s, fmt.Errorf("gzip options: %w", err)
		}
		s.Level = min(max(int(opts.CompressionLevel), gzipMinLevel), gzipRecordedLevel)
		return s, nil
	case idXZ:
		return parseXZOptions(payload, blockSize)
	case idLZ4:
		return parseLZ4Options(payload, blockSize)
	case idZstd:
		s := Settings{Name: Zstd, BlockSize: blockSize}
		if len(payload) == 0 {
			return s, nil
		}
		var opts zstdOptions
		if err := decode(payload, &opts); err != nil {
			return s, fmt.Errorf("zstd options: %w", err)
		}
		m := methodOf(Zstd) // newer tools record negative levels too
		s.Level = min(max(int(opts.CompressionLevel), m.minLevel), m.maxLevel)
		return s, nil
	case idLZMA:
		return Settings{}, &UnsupportedError{Name: "lzma", Reason: "not supported, nor by Linux"}
	case idLZO:
		return Settings{Name: LZO, BlockSize: blockSize}, nil // Linux does not look at the payload
	}
	return Settings{}, &UnsupportedError{Name: fmt.Sprintf("id %d", id), Reason: "not defined by SquashFS 4.0"}
}

func parseXZOptions(payload []byte, blockSize int) (Settings, error) {
	s := Settings{Name: XZ, BlockSize: blockSize}
	if len(payload) == 0 {
		return s, nil
	}
	var opts xzOptions
	if err := decode(payload, &opts); err != nil {
		return s, fmt.Errorf("xz options: %w", err)
	}
	size := int(opts.DictionarySize)
	if !validDictSize(size) {
		return s, fmt.Errorf("xz options: dictionary of %d bytes, neither a power of two nor three times one", size)
	}
	// Linux accepts a dictionary of any size and uses what a block can fill.
	s.DictSize = max(min(size, blockSize), min(metadataSize, blockSize))
	if s.DictSize == blockSize {
		s.DictSize = 0
	}
	s.BCJ = opts.Flags & allFilters
	return s, nil
}

func parseLZ4Options(payload []byte, blockSize int) (Settings, error) {
	s := Settings{Name: LZ4, BlockSize: blockSize}
	var opts lz4Options
	if err := decode(payload, &opts); err != nil {
		return s, fmt.Errorf("lz4 options: %w", err)
	}
	if opts.Version != lz4Legacy {
		return s, fmt.Errorf("lz4 options: stream format %d, only %d is known", opts.Version, lz4Legacy)
	}
	if opts.Flags&lz4HC == 0 {
		return s, nil
	}
	s.Level = lz4HighCompression
	if opts.Flags&lz4NonDefault != 0 {
		var level lz4Level
		if err := decode(payload[binary.Size(opts):], &level); err != nil {
			return s, fmt.Errorf("lz4 options: level: %w", err)
		}
		s.Level = min(max(int(level.Data), methodOf(LZ4).level+1), lz4HighCompression)
	}
	return s, nil
}

func encode(options any) ([]byte, error) {
	return binary.Append(nil, binary.LittleEndian, options)
}

// decode reads options, a pointer to a struct, from the beginning of payload.
func decode(payload []byte, options any) error {
	if size := binary.Size(options); len(payload) < size {
		return fmt.Errorf("%d bytes, want %d", len(payload), size)
	}
	_, err := binary.Decode(payload, binary.LittleEndian, options)
	return err
}
