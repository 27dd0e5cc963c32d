package gauge

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine describes what the benchmark runs on, in a sentence.
func Machine() (string, error) {
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

// LoadAverage is how many processes were at work in the last minute.
func LoadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}

// OwnCPU is the processor time of this process in seconds. The kernel decompresses in the process
// that reads.
func OwnCPU() (float64, error) {
	var u unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6, err
}

// Settle writes a file to the disk, which is not to happen during the next
// run, and returns its size.
func Settle(file string) (int64, error) {
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
