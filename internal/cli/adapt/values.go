package adapt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/stamp"
)

// values are what is to be stamped, as flags and files of values say it.
type values struct {
	HostName     string            `toml:"hostname"`
	SSHKeys      []string          `toml:"ssh-keys"`   // keys, or files of them
	StaticIPs    []string          `toml:"static-ips"` // as --static-ip
	Wifi         []network         `toml:"wifi"`
	Files        []file            `toml:"files"`
	Script       string            `toml:"run-script"` // a file
	Online       bool              `toml:"run-online"`
	PasswordHash string            `toml:"root-password-hash"`
	KernelParams []string          `toml:"kernel-params"`
	Install      string            `toml:"auto-install"` // a system of the medium
	InstallDisks []string          `toml:"auto-install-disks"`
	InstallHash  string            `toml:"auto-install-password-hash"`
	Sticks       map[string]values `toml:"stick"` // by serial number, or "1", "2", …
}

type network struct {
	SSID       string `toml:"ssid"`
	Passphrase string `toml:"passphrase"`
}

// file is one of this machine that is put into the live system.
type file struct {
	Source string `toml:"source"`
	Path   string `toml:"path"`
	Mode   string `toml:"mode"` // octal; that of the source if it is empty
}

// maxFile bounds a file that is stamped, in bytes.
const maxFile = 64 << 20

// readValues reads a file of values. Names of files in it are relative to its folder.
func readValues(name string) (v values, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return v, err
	}
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
			row, _ := unknown.Errors[0].Position()
			return v, fmt.Errorf("%s: line %d: there is no value %s", name, row, strings.Join(unknown.Errors[0].Key(), "."))
		}
		return v, fmt.Errorf("%s: %w", name, err)
	}
	for key, stick := range v.Sticks {
		if stick.Sticks != nil {
			return v, fmt.Errorf("%s: stick.%s has sticks in it", name, key)
		}
		v.Sticks[key] = stick.below(filepath.Dir(name))
	}
	return v.below(filepath.Dir(name)), nil
}

// below makes names of files relative to a folder.
func (v values) below(folder string) values {
	in := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(folder, name)
	}
	keys := make([]string, 0, len(v.SSHKeys))
	for _, key := range v.SSHKeys {
		if !strings.Contains(key, " ") { // a key has a type and a blob
			key = in(key)
		}
		keys = append(keys, key)
	}
	files := make([]file, 0, len(v.Files))
	for _, f := range v.Files {
		f.Source = in(f.Source)
		files = append(files, f)
	}
	v.SSHKeys, v.Files, v.Script = keys, files, in(v.Script)
	return v
}

// over returns v with what other says in the place of what v says.
func (v values) over(other values) values {
	text := func(to *string, from string) {
		if from != "" {
			*to = from
		}
	}
	text(&v.HostName, other.HostName)
	text(&v.PasswordHash, other.PasswordHash)
	text(&v.Install, other.Install)
	text(&v.InstallHash, other.InstallHash)
	if len(other.InstallDisks) > 0 {
		v.InstallDisks = other.InstallDisks
	}
	if other.Script != "" {
		v.Script, v.Online = other.Script, other.Online
	}
	if len(other.SSHKeys) > 0 {
		v.SSHKeys = other.SSHKeys
	}
	if len(other.StaticIPs) > 0 {
		v.StaticIPs = other.StaticIPs
	}
	if len(other.Wifi) > 0 {
		v.Wifi = other.Wifi
	}
	if len(other.Files) > 0 {
		v.Files = other.Files
	}
	if len(other.KernelParams) > 0 {
		v.KernelParams = other.KernelParams
	}
	return v
}

// Target is what is stamped.
type Target struct {
	Number int    // of several disks, from 1; 0 for a file
	Serial string // of the disk; empty for a file
}

// fill puts the number and the serial number of a disk into a text.
func (t Target) fill(text string) (string, error) {
	for _, word := range []struct{ name, value string }{{"{n}", t.number()}, {"{serial}", t.Serial}} {
		if strings.Contains(text, word.name) && word.value == "" {
			return "", fmt.Errorf("%q: there is no %s here", text, word.name)
		}
		text = strings.ReplaceAll(text, word.name, word.value)
	}
	return text, nil
}

func (t Target) number() string {
	if t.Number == 0 {
		return ""
	}
	return strconv.Itoa(t.Number)
}

// items are what is stamped onto a target. Files are read.
func (v values) items(t Target) (i stamp.Items, err error) {
	for _, key := range []string{t.number(), t.Serial} {
		if stick, ok := v.Sticks[key]; ok && key != "" {
			v = v.over(stick)
		}
	}
	if i.HostName, err = t.fill(v.HostName); err != nil {
		return i, err
	}
	for _, text := range v.SSHKeys {
		if text, err = t.fill(text); err != nil {
			return i, err
		}
		keys, err := nixos.ReadSSHKeys(text)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%q is neither a public key nor a file", text)
		}
		if err != nil {
			return i, err
		}
		i.SSHKeys = append(i.SSHKeys, keys...)
	}
	if i.Addresses, err = v.addresses(t); err != nil {
		return i, err
	}
	for _, w := range v.Wifi {
		i.Wifi = append(i.Wifi, stamp.Wifi(w))
	}
	for _, f := range v.Files {
		one, err := f.read(t)
		if err != nil {
			return i, err
		}
		i.Files = append(i.Files, one)
	}
	if v.Script != "" {
		if i.Run, _, err = readFile(v.Script); err != nil {
			return i, err
		}
		i.RunOnline = v.Online
	}
	i.PasswordHash = v.PasswordHash
	for _, text := range v.KernelParams {
		if text, err = t.fill(text); err != nil {
			return i, err
		}
		i.KernelParams = append(i.KernelParams, text)
	}
	if v.Install == "" && (len(v.InstallDisks) > 0 || v.InstallHash != "") {
		return i, errors.New("--auto-install-disk and --auto-install-password-hash are about the system of --auto-install, which is missing")
	}
	i.Install = stamp.Install{System: v.Install, PasswordHash: v.InstallHash}
	for _, text := range v.InstallDisks {
		if text, err = t.fill(text); err != nil {
			return i, err
		}
		i.Install.Disks = append(i.Install.Disks, text)
	}
	return i, i.Check()
}

func (v values) addresses(t Target) (all []stamp.Address, err error) {
	texts := make([]string, len(v.StaticIPs))
	for n, text := range v.StaticIPs {
		if texts[n], err = t.fill(text); err != nil {
			return nil, err
		}
	}
	ips, err := nixos.ParseStaticIPs(texts)
	for _, ip := range ips {
		all = append(all, stamp.Address{Interface: ip.Interface, Prefix: ip.Address, Gateway: ip.Gateway, DNS: ip.DNS})
	}
	return all, err
}

// read reads the file.
func (f file) read(t Target) (one stamp.File, err error) {
	source, err := t.fill(f.Source)
	if err != nil {
		return one, err
	}
	if one.Path, err = t.fill(f.Path); err != nil {
		return one, err
	}
	var mode fs.FileMode
	if one.Data, mode, err = readFile(source); err != nil {
		return one, err
	}
	one.Mode = uint32(mode.Perm())
	if f.Mode != "" {
		bits, err := strconv.ParseUint(f.Mode, 8, 32)
		if err != nil {
			return one, &stamp.ItemError{What: "file", Text: one.Path, Reason: fmt.Sprintf("has the mode %q, which is no number in octal digits", f.Mode)}
		}
		one.Mode = uint32(bits)
	}
	return one, nil
}

// readFile reads a file that is stamped.
func readFile(name string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return data, info.Mode(), err
}
