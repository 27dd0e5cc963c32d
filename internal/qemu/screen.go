package qemu

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
)

// screenshot returns a picture of the display as PNG. QEMU makes one itself since 7.1,
// if it was built with libpng.
func (c *control) screenshot() ([]byte, error) {
	folder, err := os.MkdirTemp("", "livebuild-screen-")
	if err != nil {
		return nil, fmt.Errorf("making room for a screenshot: %w", err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "screen")
	if err := c.execute("screendump", map[string]string{"filename": file, "format": "png"}, nil); err == nil {
		return os.ReadFile(file)
	}
	if err := c.execute("screendump", map[string]string{"filename": file}, nil); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return pngFromPPM(data)
}

// maxScreenSide bounds the width and the height of a picture in pixels.
const maxScreenSide = 16384

// pngFromPPM converts what QEMU's screendump writes by default: a portable pixmap with binary
// samples of one byte (Netpbm, ppm(5), "P6") and without comments.
func pngFromPPM(data []byte) ([]byte, error) {
	r := bufio.NewReader(bytes.NewReader(data))
	var width, height, most int
	if _, err := fmt.Fscanf(r, "P6\n%d %d\n%d\n", &width, &height, &most); err != nil {
		return nil, fmt.Errorf("reading a screenshot: %w", err)
	}
	if width < 1 || height < 1 || width > maxScreenSide || height > maxScreenSide || most != 255 || len(data) < 3*width*height {
		return nil, fmt.Errorf("reading a screenshot: %d x %d pixels of up to %d", width, height, most)
	}
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	row := make([]byte, 3*width)
	for y := range height {
		if _, err := io.ReadFull(r, row); err != nil {
			return nil, fmt.Errorf("reading a screenshot: %w", err)
		}
		for x := range width {
			picture.SetNRGBA(x, y, color.NRGBA{row[3*x], row[3*x+1], row[3*x+2], 0xFF})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("writing a screenshot: %w", err)
	}
	return out.Bytes(), nil
}
