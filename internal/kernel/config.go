package kernel

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Config is the configuration of a kernel: the values of its options, by their
// names without CONFIG_. Options that are off are not in it.
type Config map[string]string

// Has reports whether an option is on, built in or as a module.
func (c Config) Has(option string) bool { return c[option] == "y" || c[option] == "m" }

// Bounds of a configuration, in bytes: those of real kernels have 0.3 MB, and
// a line of some kilobytes at most.
const (
	configMax = 4 << 20
	lineMax   = 64 << 10
)

// ParseConfig reads a file as the kernel's build writes it (.config). Its error
// wraps ErrNoConfig if r has no option.
func ParseConfig(r io.Reader) (Config, error) {
	config := Config{}
	lines := bufio.NewScanner(io.LimitReader(r, configMax))
	lines.Buffer(nil, lineMax)
	for lines.Scan() {
		name, value, isSet := strings.Cut(lines.Text(), "=")
		if name, ok := strings.CutPrefix(name, "CONFIG_"); ok && isSet {
			config[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoConfig, err)
	}
	if len(config) == 0 {
		return nil, fmt.Errorf("%w: no options", ErrNoConfig)
	}
	return config, nil
}
