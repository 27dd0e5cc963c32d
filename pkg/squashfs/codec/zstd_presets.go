package codec

// zstdPreset is what a level stands for in blocks above zstdPresetMin: parameters of libzstd in the
// place of those that it has for the level (ZSTD_defaultCParameters). The window is as large as the
// block in any case.
type zstdPreset struct {
	strategy            zstdStrategy
	hashLog, chainLog   int
	searchLog, minMatch int
	targetLength        int
	split               bool // where the statistics of the sequences change, a block of 128 KiB is cut in two
}

// zstdStrategy is libzstd's ZSTD_strategy.
type zstdStrategy int

const (
	zstdDfast zstdStrategy = iota + 2
	zstdGreedy
	zstdLazy
	zstdLazy2
	_ // ZSTD_btlazy2: slower than zstdLazy2, and no denser
	zstdBtopt
	zstdBtultra
)

// zstdPresetMin is the largest block, in bytes, that is left to libzstd's own parameters, which has
// others for those (clevels.h).
const zstdPresetMin = 256 << 10

// zstdTableLevel is the highest level of blocks of up to metadataSize bytes, which the tables of an
// image consist of, and these are made for every image anew. Level 19 takes 2.3 times as long for 0.36 % of
// what is half a percent of an image.
const zstdTableLevel = 13

// zstdPresetGeneration counts the changes to what levels mean. It has to grow with each, since equal
// identities promise equal bytes.
const zstdPresetGeneration = 2

// zstdPresets are those levels that mean something of their own.
//
// A level of mksquashfs is what users compare with, so each is to be smaller than the level of that
// name there, and to take less time. Likeness makes blocks about 0.8 % smaller, which is what a preset
// may lose at most. They were chosen with libzstd 1.5.7 on 48 blocks of 1 MiB of Debian 12's programs,
// and held against 32 of a Debian 13 that had no part in the choice; there, in processor time and size
// relative to libzstd's level of the number: 3: 0.92, +0.3 %; 6: as long, -0.2 %; 9: 0.87, -0.7 %;
// 12: 0.65, -1.1 %; 15: 0.33, -2.0 %; 16: 0.71, -2.7 % and 17: 0.87, -2.3 %, both with a chain table
// twice as large; 19 (where it was chosen): 0.69, +0.5 %.
//
// What is gained by what: hash tables of 2^17 or 2^18 entries, which stay in a processor's cache, cost
// programs that search by binary trees nothing in size. Matches of 4 bytes instead of 5, and of 3
// instead of 4 or 5 with btopt, are found in machine code everywhere. Splitting makes 0.8 % of 10 %
// more time from lazy2 on. btlazy2 loses against lazy2 with both. btultra2 makes a first pass over
// 128 KiB of each block, for 0.04 to 0.2 %.
var zstdPresets = map[int]zstdPreset{
	3:  {strategy: zstdDfast, hashLog: 16, chainLog: 16, searchLog: 1, minMatch: 5},
	4:  {strategy: zstdDfast, hashLog: 16, chainLog: 18, searchLog: 1, minMatch: 5},
	5:  {strategy: zstdGreedy, hashLog: 18, chainLog: 18, searchLog: 3, minMatch: 5, targetLength: 2},
	6:  {strategy: zstdLazy, hashLog: 18, chainLog: 18, searchLog: 3, minMatch: 4, targetLength: 4},
	7:  {strategy: zstdLazy, hashLog: 18, chainLog: 19, searchLog: 4, minMatch: 4, targetLength: 8},
	8:  {strategy: zstdLazy, hashLog: 19, chainLog: 19, searchLog: 4, minMatch: 4, targetLength: 8},
	9:  {strategy: zstdLazy2, hashLog: 18, chainLog: 19, searchLog: 4, minMatch: 4, targetLength: 16},
	10: {strategy: zstdLazy2, hashLog: 19, chainLog: 19, searchLog: 4, minMatch: 4, targetLength: 16},
	11: {strategy: zstdLazy2, hashLog: 18, chainLog: 19, searchLog: 4, minMatch: 4, targetLength: 16, split: true},
	12: {strategy: zstdLazy2, hashLog: 19, chainLog: 20, searchLog: 5, minMatch: 4, targetLength: 16},
	13: {strategy: zstdLazy2, hashLog: 19, chainLog: 20, searchLog: 5, minMatch: 4, targetLength: 16, split: true},
	14: {strategy: zstdLazy2, hashLog: 19, chainLog: 20, searchLog: 6, minMatch: 4, targetLength: 32, split: true},
	15: {strategy: zstdLazy2, hashLog: 20, chainLog: 20, searchLog: 6, minMatch: 4, targetLength: 32, split: true},
	16: {strategy: zstdBtopt, hashLog: 17, chainLog: 20, searchLog: 2, minMatch: 3, targetLength: 32, split: true},
	17: {strategy: zstdBtopt, hashLog: 17, chainLog: 20, searchLog: 3, minMatch: 3, targetLength: 48, split: true},
	18: {strategy: zstdBtultra, hashLog: 17, chainLog: 20, searchLog: 4, minMatch: 3, targetLength: 64, split: true},
	19: {strategy: zstdBtultra, hashLog: 17, chainLog: 21, searchLog: 5, minMatch: 3, targetLength: 64, split: true},
	20: {strategy: zstdBtultra, hashLog: 17, chainLog: 21, searchLog: 7, minMatch: 3, targetLength: 128, split: true},
	21: {strategy: zstdBtultra, hashLog: 17, chainLog: 21, searchLog: 7, minMatch: 3, targetLength: 256, split: true},
	22: {strategy: zstdBtultra, hashLog: 17, chainLog: 21, searchLog: 9, minMatch: 3, targetLength: 512, split: true},
}
