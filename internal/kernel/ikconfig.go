package kernel

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// marker precedes the configuration in a kernel (kernel/configs.c), with the
// beginning of the gzip member that it is. Alone, the letters can occur in
// code that looks for them.
var marker = []byte("IKCFG_ST\x1f\x8b\x08")

const gzipMagicSize = 3 // of the marker

// scanBuffer is how much of a kernel is looked at at a time.
const scanBuffer = 1 << 20

// findMarker reads r up to the gzip member behind the marker.
func findMarker(r *bufio.Reader) error {
	if err := findText(r, marker); err != nil {
		return err
	}
	_, err := r.Discard(len(marker) - gzipMagicSize)
	return err
}

// findText reads r up to a text.
func findText(r *bufio.Reader, text []byte) error {
	for {
		window, err := r.Peek(scanBuffer)
		if i := bytes.Index(window, text); i >= 0 {
			_, err := r.Discard(i)
			return err
		}
		if errors.Is(err, io.EOF) {
			return errors.New("it was built without")
		}
		if err != nil {
			return err
		}
		// The text can begin in the last bytes.
		if _, err := r.Discard(len(window) - len(text) + 1); err != nil {
			return err
		}
	}
}

// readMarked reads the configuration after findMarker.
func readMarked(r *bufio.Reader) (Config, error) {
	member, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoConfig, err)
	}
	member.Multistream(false)
	return ParseConfig(member)
}
