package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/livebuild/livebuild/internal/gauge"
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
	rec.Size, err = gauge.Settle(image)
	return rec, output, err
}

// watched runs a program, and returns what it took and printed.
func watched(ctx context.Context, program string, args ...string) (record, []byte, error) {
	return watchedWithin(ctx, nil, program, args...)
}

// watchedWithin is watched of a program with a limit of memory, or none.
func watchedWithin(ctx context.Context, limit *gauge.Limit, program string, args ...string) (record, []byte, error) {
	load, err := gauge.LoadAverage()
	if err != nil {
		return record{}, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return record{}, nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{watchVerb, limit.Name(), program}, args...)...)
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
	if err := gauge.Join(args[0]); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, args[1], args[2:]...)
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
