package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// measure runs a packer that writes image, and returns what it took.
func measure(ctx context.Context, image, program string, args ...string) (record, []byte, error) {
	if err := os.Remove(image); err != nil && !os.IsNotExist(err) {
		return record{}, nil, err
	}
	load, err := loadAverage()
	if err != nil {
		return record{}, nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	started := time.Now()
	err = cmd.Run()
	took := time.Since(started)
	if err != nil {
		return record{}, nil, fmt.Errorf("%s: %w\n%s%s", filepath.Base(program), err, &stdout, &stderr)
	}
	size, err := settle(image)
	if err != nil {
		return record{}, nil, err
	}
	state := cmd.ProcessState
	return record{
		Time:   started.UTC().Truncate(time.Second),
		Load:   load,
		Wall:   took.Seconds(),
		CPU:    (state.UserTime() + state.SystemTime()).Seconds(),
		Memory: state.SysUsage().(*syscall.Rusage).Maxrss * 1024, // KiB, getrusage(2)
		Size:   size,
	}, stdout.Bytes(), nil
}

// settle writes a file to the disk, which is not to happen during the next
// run, and returns its size.
func settle(file string) (int64, error) {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Sync()
}

// loadAverage is how many processes were at work in the last minute.
func loadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}
