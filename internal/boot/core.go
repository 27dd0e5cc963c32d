package boot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/nixos"
)

// modules are all that the loader can do: the medium has no further ones. A menu
// with device trees needs one more.
var modules = []string{
	"fat", "iso9660", "part_gpt", "part_msdos",
	"normal", "boot", "linux", "configfile", "loopback", "chain", "halt",
	"efifwsetup", "efi_gop",
	"ls", "search", "search_label", "search_fs_uuid", "search_fs_file", "echo",
	"serial",
	"gfxmenu", "gfxterm", "gfxterm_background", "gfxterm_menu", "test", "loadenv", "all_video", "videoinfo",
	"png",
}

// optionalModules exist for some targets: this one for x86.
var optionalModules = []string{"efi_uga"}

// MissingFileError reports a file that a package should have.
type MissingFileError struct {
	What string // "GRUB module", "kernel"
	Path string
}

func (e *MissingFileError) Error() string {
	return fmt.Sprintf("%s %s does not exist", e.What, e.Path)
}

// ToolError reports a program that did not do its work.
type ToolError struct {
	Program string
	Stderr  string
	Err     error
}

func (e *ToolError) Error() string {
	if e.Stderr == "" {
		return fmt.Sprintf("%s: %v", e.Program, e.Err)
	}
	return fmt.Sprintf("%s: %v: %s", e.Program, e.Err, e.Stderr)
}

func (e *ToolError) Unwrap() error { return e.Err }

// stopGrace is how long a program may take to end after it was interrupted.
const stopGrace = 5 * time.Second

// coreImage returns the EFI program with modules in it. It looks for its
// configuration in /EFI/BOOT of the device that it is loaded from.
//
// The program grub-mkimage makes images for every platform that it is given the
// modules of, so it is that of this machine, whatever the image is for.
func coreImage(ctx context.Context, store Store, g nixos.GRUB, modules []string) ([]byte, error) {
	program := store.PhysicalPath(path.Join(g.Builder, "bin/grub-mkimage"))
	if _, err := os.Stat(program); err != nil {
		return nil, &MissingFileError{"GRUB's program", program}
	}
	directory := store.PhysicalPath(path.Join(g.Package, "lib/grub", g.Target))
	args := []string{"--directory=" + directory, "-p", "/" + efiDir, "-O", g.Target}
	for _, name := range modules {
		file := path.Join(directory, name+".mod")
		if _, err := os.Stat(file); err != nil {
			return nil, &MissingFileError{"GRUB module", file}
		}
		args = append(args, name)
	}
	for _, name := range optionalModules {
		if _, err := os.Stat(path.Join(directory, name+".mod")); err == nil {
			args = append(args, name)
		}
	}
	// Without -o the image goes to standard output.
	return runToMemory(ctx, program, args)
}

// runToMemory returns the standard output of a program. The program gets a file
// in memory rather than a pipe: grub-mkimage syncs its output, which pipes
// refuse.
func runToMemory(ctx context.Context, program string, args []string) (output []byte, err error) {
	fd, err := unix.MemfdCreate(path.Base(program), unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	memory := os.NewFile(uintptr(fd), path.Base(program))
	defer func() {
		if closed := memory.Close(); err == nil {
			err = closed
		}
	}()
	cmd := exec.CommandContext(ctx, program, args...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = memory, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = stopGrace
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &ToolError{program, strings.TrimSpace(stderr.String()), err}
	}
	if _, err := memory.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(memory)
}
