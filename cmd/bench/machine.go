package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes what the benchmark runs on, in a sentence.
func machine() (string, error) {
	cpu, err := field("/proc/cpuinfo", "model name")
	if err != nil {
		return "", err
	}
	total, err := field("/proc/meminfo", "MemTotal")
	if err != nil {
		return "", err
	}
	kibibytes, err := strconv.ParseInt(strings.TrimSuffix(total, " kB"), 10, 64)
	if err != nil {
		return "", fmt.Errorf("MemTotal: %w", err)
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", err
	}
	flags, err := field("/proc/cpuinfo", "flags")
	if err != nil {
		return "", err
	}
	virtual := ""
	if strings.Contains(" "+flags+" ", " hypervisor ") {
		virtual = ", a virtual machine"
	}
	return fmt.Sprintf("%s, %d processors, %.0f GB of memory, Linux %s%s",
		cpu, runtime.NumCPU(), float64(kibibytes)*1024/1e9, unix.ByteSliceToString(name.Release[:]), virtual), nil
}

// field is the first value of a name in a file of /proc.
func field(file, name string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`(?m)^` + name + `\s*:\s*(.*)$`).FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s has no %q", file, name)
	}
	return string(m[1]), nil
}
