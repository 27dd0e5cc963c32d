//go:build linux

package squashfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// nowhere takes what is written.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// BenchmarkSmallFiles scans and packs 30,000 files of 300 to 800 bytes, as deep in
// folders as those of a store.
func BenchmarkSmallFiles(b *testing.B) {
	dir := b.TempDir()
	var entries []Entry
	for entry := range 100 {
		name := fmt.Sprintf("entry-%d", entry)
		entries = append(entries, Entry{Name: name, Path: filepath.Join(dir, name)})
		for file := range 300 {
			path := filepath.Join(dir, name, "share", "doc", fmt.Sprint(file%10), "html", fmt.Sprint(file))
			content := fmt.Appendf(nil, "%0*d", 300+file+entry*2, file*entry)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
				b.Fatal(err)
			}
		}
	}
	c, err := codec.New(codec.Settings{Name: codec.None}, codec.DefaultBlockSize)
	if err != nil {
		b.Fatal(err)
	}
	before := processorTime(b)
	for b.Loop() {
		tree, err := Scan(context.Background(), entries, nil, nil)
		if err == nil {
			_, err = tree.Write(context.Background(), nowhere{}, Options{Codec: c, MkfsTime: time.Unix(1, 0), ModTime: time.Unix(1, 0)})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
}

// processorTime is how long this process has had a processor.
func processorTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
