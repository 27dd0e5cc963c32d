package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	rec, output, err := watched(ctx, program, args...)
	if err != nil {
		return record{}, nil, err
	}
	rec.Size, err = settle(image)
	return rec, output, err
}

// watched runs a program, and returns what it took and printed.
func watched(ctx context.Context, program string, args ...string) (record, []byte, error) {
	load, err := loadAverage()
	if err != nil {
		return record{}, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return record{}, nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{watchVerb, program}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	started := time.Now()
	if err := cmd.Run(); err != nil {
		return record{}, nil, fmt.Errorf("%s: %w\n%s%s", filepath.Base(program), err, &stdout, &stderr)
	}
	var u usage
	if err := json.Unmarshal(stdout.Bytes(), &u); err != nil {
		return record{}, nil, err
	}
	return record{
		Time:   started.UTC().Truncate(time.Second),
		Load:   load,
		Wall:   u.Wall,
		CPU:    u.CPU,
		Memory: u.Memory,
	}, u.Output, nil
}

// watchVerb makes this program a child that watches one of its own. A process
// counts the memory of whoever started it as its own peak (Linux, exec_mmap),
// so that has to be a small one.
const watchVerb = "watch"

// usage is what a program took.
type usage struct {
	Wall   float64 `json:"wall"`   // seconds, as CPU
	CPU    float64 `json:"cpu"`    // of all threads, user and system
	Memory int64   `json:"memory"` // peak, bytes
	Output []byte  `json:"output"` // on standard output
}

// watch runs a program and prints its usage.
func watch(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	started := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, &stdout)
	}
	took := time.Since(started)
	state := cmd.ProcessState
	return json.NewEncoder(os.Stdout).Encode(usage{
		Wall:   took.Seconds(),
		CPU:    (state.UserTime() + state.SystemTime()).Seconds(),
		Memory: state.SysUsage().(*syscall.Rusage).Maxrss * 1024, // KiB, getrusage(2)
		Output: stdout.Bytes(),
	})
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
