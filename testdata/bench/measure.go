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

	"golang.org/x/sys/unix"
)

// measure runs a packer that writes image, and returns what it took.
func measure(ctx context.Context, image, program string, args ...string) (record, []byte, error) {
	if err := os.Remove(image); err != nil && !os.IsNotExist(err) {
		return record{}, nil, err
	}
	// What earlier runs wrote is not to reach the disk during this one.
	unix.Sync()
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
	info, err := os.Stat(image)
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
		Size:   info.Size(),
	}, stdout.Bytes(), nil
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
