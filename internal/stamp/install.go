package stamp

import (
	"path"
	"strings"

	"github.com/livebuild/livebuild/pkg/cpio"
)

// Install is what livebuild-install, of a medium that installs systems, asks otherwise. The zero
// value is nothing.
type Install struct {
	System string // by its name on the medium
	// Disks are those that are written to: a DEVICE, or NAME=DEVICE for each disk of the system. Without
	// any the live system asks.
	Disks        []string
	PasswordHash string // of root in the installed system, as in shadow(5); or empty
}

// answersFile is where livebuild-install looks for words like those of the kernel's command line.
const answersFile = "run/livebuild/install"

// Disk are the two halves of a disk: the name that the system has for it, empty for its only one, and
// the device.
func (Install) Disk(text string) (name, device string) {
	if name, device, ok := strings.Cut(text, "="); ok && !strings.HasPrefix(text, "/") {
		return name, device
	}
	return "", text
}

// check refuses answers that have no meaning, or that the file has no way to say. The error is an *ItemError.
func (i Install) check() error {
	if i.System == "" {
		if len(i.Disks) > 0 || i.PasswordHash != "" {
			return &ItemError{"installation", "", "has a disk or a password, but no system that is to be installed"}
		}
		return nil
	}
	if !plainWord(i.System) || strings.ContainsAny(i.System, "/=") {
		return &ItemError{"installation", i.System, "is no name of a system"}
	}
	names, devices := map[string]bool{}, map[string]bool{}
	for _, text := range i.Disks {
		name, device := i.Disk(text)
		switch {
		case !plainWord(text) || !strings.HasPrefix(device, "/dev/disk/by-") || path.Clean(device) != device || strings.Count(device, "/") < 4:
			return &ItemError{"disk", text, "may be another one at the next start, or is none: it has to be named as below /dev/disk/by-id, with NAME= before it if the system has several"}
		case names[name], names[""], name == "" && len(names) > 0:
			return &ItemError{"disk", text, "is one of several, of which each needs another name: NAME=DEVICE"}
		case devices[device]:
			return &ItemError{"disk", device, "is given twice"}
		}
		names[name], devices[device] = true, true
	}
	if i.PasswordHash != "" && (!isHash(i.PasswordHash) || !plainWord(i.PasswordHash)) {
		return errNoHash
	}
	return nil
}

// plainWord reports whether a shell takes text as a single word, without quotes.
func plainWord(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`*?[]\'"`, r) }) < 0
}

// text says what is installed, for people.
func (i Install) text() string {
	text := i.System
	if len(i.Disks) > 0 {
		text += " on " + strings.Join(i.Disks, " and ")
	}
	if i.PasswordHash != "" {
		text += ", with a password of root"
	}
	return text
}

// file is what the live system finds.
func (i Install) file() cpio.Member {
	words := []string{"livebuild.install=" + i.System}
	for _, disk := range i.Disks {
		words = append(words, "livebuild.disk="+disk)
	}
	if i.PasswordHash != "" {
		words = append(words, "livebuild.password="+i.PasswordHash)
	}
	return secret(answersFile, 0o600, []byte(strings.Join(words, " ")+"\n"))
}
