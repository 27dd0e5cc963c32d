package codec

// xzSearch is how a level looks for matches, in binary trees: in the place of what liblzma has for the
// level (lzma_lzma_preset in lzma_encoder_presets.c).
type xzSearch struct {
	bytes int // 3 or 4: what a hash leads to is alike in so many
	nice  int // a match of so many bytes is taken at once
	depth int // so many places are compared
}

// xzSearches are those of levels that mean something of their own, of the others, up to 3, liblzma's.
//
// mksquashfs has no levels: it packs with liblzma's 6 (bytes 4, nice 64, depth 48), which is 7 here. Its
// levels 7 to 9 are 6 with a larger dictionary than a block can use. In processor time and size relative to
// 7, on a tenth of the blocks of the closure of docs/benchmarks.md, and on another tenth: 8 (on the first
// alone): 1.04, -0.03 %; 9: 1.15 and 1.23, -0.10 and -0.05 %. 6, on 30 other blocks and on 23: 0.87 and 0.91,
// +0.59 and +0.58 %, which is less than likeness and properties by block save. Tried there: (3, 64, 16): 0.90 and 0.97,
// +0.40 and +0.34 %, which on the whole closure took as long as mksquashfs; (3, 48, 12): 0.85 and 0.90,
// +0.90 and +0.99 %; (3, 64, 12): 0.92, +0.69 and +0.84 %. Tried on the tenths: (4, 273, 64): 1.13 and 1.17, -0.06 and +0.01 %;
// (4, 64, 8): 0.88, +0.67 %; (4, 32, 32): 0.93, +0.31 %; two bytes: slower; chains instead of trees (hc4): no faster
// at a depth of 16, for 1.3 %.
var xzSearches = map[int]xzSearch{
	4: {4, 16, 24}, // liblzma's
	5: {4, 32, 32}, // liblzma's
	6: {3, 48, 16},
	7: {4, 64, 48},
	8: {4, 128, 32},
	9: {4, 273, 512},
}

// xzTableSearch is that of tables from level 4 on: two thirds of the time, for 0.2 % more, which is a
// hundred-thousandth of an image.
var xzTableSearch = xzSearch{3, 24, 4}
