// Package kexec is an archive by which a running Linux starts another system in its own place: a tar with
// the system, a script, and the programs that the script takes. Its names are those of nixos-images'
// kexec-installer, so that nixos-anywhere --kexec takes it: unpacked in any folder, it is kexec/run that
// starts it.
package kexec

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/livebuild/livebuild/pkg/cpio"
)

// Names of files in the archive, below Folder. The kernel is called so for every platform, as
// nix-community/nixos-images, nix/kexec-installer/module.nix, has it.
const (
	Folder   = "kexec"
	Run      = "run"           // the script
	Kexec    = "kexec"         // of kexec-tools
	Busybox  = "busybox"       // all else that the script takes
	IP       = "ip"            // of iproute2; not in every archive
	Restore  = "restore.cpio"  // has the new system take what is carried over
	Stamp    = "stamp.cpio"    // what is stamped; not in every archive
	Sums     = "SHA256SUMS"    // of those before it
	Manifest = "manifest.json" // what it was made of
	Kernel   = "bzImage"
	Initrd   = "initrd" // stage 1, and the store behind it
)

//go:embed run.sh
var runScript string

//go:embed restore.sh
var restoreScript string

//go:embed addresses.sh
var addressesScript string

// System is what is started.
type System struct {
	Title      string
	Platform   string   // "x86_64-linux"
	Params     []string // pieces of the kernel's command line, init= first
	InitrdSize int64    // bytes
}

// Script is the file Run. Its size does not depend on that of the initrd.
func (s System) Script() []byte {
	return []byte(strings.NewReplacer(
		"@title@", quote(s.Title),
		"@command-line@", quote(strings.Join(s.Params, " ")),
		"@initrd-size@", sizeOf(s.InitrdSize),
		"@machines@", machines(s.Platform),
		"@platform@", s.Platform,
	).Replace(runScript))
}

// Facts are the lines of a script that are about a system, as its manifest tells it, and its initrd's size in bytes.
func Facts(title, platform, commandLine string, initrdSize int64) []string {
	return []string{
		"title=" + quote(title), "command_line=" + quote(commandLine),
		"initrd_size=" + sizeOf(initrdSize) + " # bytes, as it was unpacked", machines(platform) + ") ;;",
	}
}

func sizeOf(size int64) string { return fmt.Sprintf("$((%*d))", sizeDigits, size) }

// sizeDigits is how many digits any initrd's size has at most.
const sizeDigits = 12

// machines is a pattern of the names that uname(2) has for machines that can start a platform's kernel.
func machines(platform string) string {
	cpu, _, _ := strings.Cut(platform, "-")
	switch {
	case cpu == "i686":
		return "i?86 | x86_64"
	case strings.HasPrefix(cpu, "armv"):
		return "armv*"
	case cpu == "powerpc64le":
		return "ppc64le"
	}
	return cpu
}

// quote returns text as one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// Where stage 1 copies from, and where what it copies lands.
const (
	secrets = ".initrd-secrets"
	landing = "run/livebuild/kexec"
	units   = "run/systemd/system"
)

// RestoreArchive is the file Restore: an initrd with units that take what the script puts beside them, by way of
// stage 1, which copies what lies below /.initrd-secrets (nixos/modules/system/boot/stage-1-init.sh).
func RestoreArchive() []byte {
	const (
		service = `[Service]
Type=oneshot
RemainAfterExit=yes
Environment=PATH=/run/current-system/sw/bin
ExecStart=/bin/sh /` + landing + `/`
		restore = `[Unit]
Description=What the System Before This One Has Left
DefaultDependencies=no
After=local-fs.target systemd-tmpfiles-setup.service
Before=network-pre.target sshd.service sshd.socket sshd-keygen.service NetworkManager.service systemd-networkd.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

` + service + "restore\n"
		addresses = `[Unit]
Description=Addresses of the System Before This One
ConditionPathExists=/` + landing + `/by-ip
After=livebuild-kexec.service network-pre.target
Before=network-online.target

` + service + "addresses\n"
	)
	member := func(mode uint32, name, text string) cpio.Member {
		return cpio.Member{Name: path.Join(secrets, name), Mode: cpio.ModeRegular | mode, Data: []byte(text)}
	}
	files := []cpio.Member{
		member(0o600, path.Join(landing, "restore"), restoreScript),
		member(0o600, path.Join(landing, "addresses"), addressesScript),
	}
	for _, u := range []struct{ name, wantedBy, text string }{
		{"livebuild-kexec", "sysinit.target", restore}, {"livebuild-kexec-addresses", "multi-user.target", addresses},
	} {
		files = append(files,
			member(0o644, path.Join(units, u.name+".service"), u.text),
			member(0o644, path.Join(units, u.wantedBy+".d", u.name+".conf"), "[Unit]\nWants="+u.name+".service\n"))
	}
	return cpio.Archive(cpio.WithFolders(files))
}

// Compression is how an archive is compressed as a whole.
type Compression string

// Those that nixos-anywhere unpacks, by the archive's name (src/nixos-anywhere.sh, runKexec), but for xz, see NameError.
const (
	Plain Compression = ""
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
)

// Extension is that of an archive which nobody has named.
const Extension = ".tar.gz"

// NameError says that a file cannot be an archive, by its name.
type NameError struct {
	Name   string
	Reason string
}

func (e *NameError) Error() string { return e.Name + ": " + e.Reason }

var errName = errors.New("an archive for kexec is called .tar, .tar.gz or .tar.zst")

// CompressionOf is what the name of an archive says. The error is a *NameError.
func CompressionOf(name string) (Compression, error) {
	for _, c := range []struct {
		extension string
		Compression
	}{{".tar", Plain}, {".tar.gz", Gzip}, {".tgz", Gzip}, {".tar.zst", Zstd}} {
		if strings.HasSuffix(name, c.extension) {
			return c.Compression, nil
		}
	}
	if strings.HasSuffix(name, ".tar.xz") || strings.HasSuffix(name, ".txz") {
		return Plain, &NameError{name, "what is in the archive is compressed already, and xz would take minutes to find that out"}
	}
	return Plain, &NameError{name, errName.Error()}
}
