package face

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

var sizeText = regexp.MustCompile(`^([0-9]{1,15})([kKMGTmgt]?)(i?[bB])?$`)

// ParseSize reads a size in powers of 1024, as QEMU does. Without a unit it is in defaultUnit.
func ParseSize(text string, defaultUnit byte) (int64, error) {
	m := sizeText.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no size", text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, err
	}
	unit := m[2]
	if unit == "" {
		unit = string(defaultUnit)
	}
	shift := 10 * strings.Index("BKMGT", strings.ToUpper(unit))
	if n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is too much", text)
	}
	return n << shift, nil
}
