package face

import "testing"

func TestParseSize(t *testing.T) {
	for _, test := range []struct {
		text string
		unit byte
		want int64 // -1: none
	}{
		{"20G", 'B', 20 << 30},
		{"2048", 'M', 2 << 30},
		{"512", 'B', 512},
		{"1k", 'B', 1 << 10},
		{"1K", 'B', 1 << 10},
		{"3MiB", 'B', 3 << 20},
		{"3mb", 'B', 3 << 20},
		{"2t", 'B', 2 << 40},
		{"8388607T", 'B', 8388607 << 40},
		{"8388608T", 'B', -1}, // 2^63
		{"999999999999999", 'G', -1},
		{"1000000000000000", 'B', -1}, // too many digits to be meant
		{"", 'M', -1},
		{"G", 'M', -1},
		{"-1", 'M', -1},
		{"1.5G", 'M', -1},
		{"1 G", 'M', -1},
		{"0x10", 'M', -1},
	} {
		got, err := ParseSize(test.text, test.unit)
		if err != nil {
			got = -1
		}
		if got != test.want {
			t.Errorf("%q in %c: %d, %v, want %d", test.text, test.unit, got, err, test.want)
		}
	}
}
