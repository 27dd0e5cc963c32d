package codec

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// gzipStrategies are the values of mksquashfs' -Xstrategy.
var gzipStrategies = []string{"default", "filtered", "huffman_only", "run_length_encoded", "fixed"}

// Parse reads a compression: a name with an optional level ("zstd:19", "gzip", "lz4:hc", "none"),
// followed by options in mksquashfs' words, of which "-b SIZE" goes with every compressor:
//
//	lz4    -Xhc, -Xcompression-level N (a level above 1 means -Xhc)
//	gzip   -Xcompression-level N, -Xwindow-size N, -Xstrategy LIST
//	zstd   -Xcompression-level N
//	xz     -Xdict-size SIZE or PERCENT%, -Xbcj LIST (in which native is not mksquashfs': [Settings].NativeBCJ)
//
// The later of two equal options holds. Values are checked; window size and strategies of gzip are
// then dropped, because libdeflate always uses the whole window, which every reader provides, and
// weighs the kinds of deflate blocks by itself. Any error is a [*SettingsError].
func Parse(text string) (Settings, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Settings{}, &SettingsError{Text: text, Reason: "empty; there are " + methodNames()}
	}
	s, err := parseWords(words)
	if err == nil {
		err = s.check()
	}
	if fault, ok := err.(*SettingsError); ok {
		fault.Text = text
	}
	if err != nil {
		return Settings{}, err
	}
	return s, nil
}

// parseWords reads the words without checking ranges.
func parseWords(words []string) (Settings, error) {
	name, level, hasLevel := strings.Cut(words[0], ":")
	s := Settings{Name: name}
	m := methodOf(name)
	if m == nil || m == &lzoMethod {
		return s, s.fault(name, "no such compression; there are %s", methodNames())
	}
	if hasLevel {
		if name == LZ4 && level == "hc" {
			s.Level = lz4HighCompression
		} else if err := s.setLevel(m, level); err != nil {
			return s, err
		}
	}
	for words = words[1:]; len(words) > 0; {
		used, err := s.setOption(m, words)
		if err != nil {
			return s, err
		}
		words = words[used:]
	}
	return s, nil
}

// setOption applies the option that words begin with and returns how many words it is.
func (s *Settings) setOption(m *method, words []string) (int, error) {
	option := words[0]
	if option != "-b" && !slices.Contains(m.options, option) {
		known := strings.Join(append([]string{"-b"}, m.options...), ", ")
		return 0, s.fault(option, "unknown option; %s takes %s", m.name, known)
	}
	if option == "-Xhc" {
		s.Level = lz4HighCompression
		return 1, nil
	}
	if len(words) < 2 {
		return 0, s.fault(option, "the value is missing")
	}
	value := words[1]
	var err error
	switch option {
	case "-b":
		s.BlockSize, err = s.parseSize(value)
	case "-Xcompression-level":
		err = s.setLevel(m, value)
	case "-Xdict-size":
		err = s.setDict(value)
	case "-Xbcj":
		err = s.setFilters(value)
	case "-Xwindow-size":
		if n, convErr := strconv.Atoi(value); convErr != nil || n < gzipMinWindow || n > gzipWindow {
			err = s.fault(value, "a window size is %d to %d", gzipMinWindow, gzipWindow)
		}
	case "-Xstrategy":
		for _, name := range strings.Split(value, ",") {
			if !slices.Contains(gzipStrategies, name) {
				err = s.fault(name, "no such strategy; there are %s", strings.Join(gzipStrategies, ", "))
			}
		}
	}
	return 2, err
}

func (s *Settings) setLevel(m *method, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n == 0 { // 0 would mean the default
		return s.fault(value, "%s", m.levelRange())
	}
	s.Level = n
	return nil
}

func (s *Settings) setDict(value string) (err error) {
	s.DictSize, s.DictPercent = 0, 0
	percent, isPercent := strings.CutSuffix(value, "%")
	if !isPercent {
		s.DictSize, err = s.parseSize(value)
		return err
	}
	p, err := strconv.ParseFloat(percent, 64)
	if err != nil || p == 0 {
		return s.fault(value, "not a percentage of the block size")
	}
	if p != 100 { // the default
		s.DictPercent = p
	}
	return nil
}

func (s *Settings) setFilters(value string) error {
	s.BCJ, s.NativeBCJ = 0, false
	for _, name := range strings.Split(value, ",") {
		f := filterOf(name)
		switch {
		case name == native:
			s.NativeBCJ = true
		case f == 0:
			return s.noFilter(name)
		}
		s.BCJ |= f
	}
	return nil
}

// parseSize reads a positive size as mksquashfs does: bytes, or with the suffix K or M.
func (s *Settings) parseSize(value string) (int, error) {
	number, unit := value, 1
	if n := len(value); n > 0 {
		switch value[n-1] {
		case 'k', 'K':
			number, unit = value[:n-1], 1<<10
		case 'm', 'M':
			number, unit = value[:n-1], 1<<20
		}
	}
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil || n == 0 || n > math.MaxInt32/uint64(unit) {
		return 0, s.fault(value, "not a size; sizes look like %s, %s or %s",
			fmt.Sprint(MaxBlockSize), formatSize(MaxBlockSize/4), formatSize(MaxBlockSize))
	}
	return int(n) * unit, nil
}
