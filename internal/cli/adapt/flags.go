package adapt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/internal/stamp"
)

// Flags say what is stamped.
type Flags struct {
	from     string
	wifi     []string
	files    []string
	password string
	install  string // file with the hash of root's password in the installed system
	key      string // file of the key that signs for Secure Boot
	given    values
	set      *pflag.FlagSet
	names    []string
}

// About is the heading of the flags, with a verb that does more.
const About = "Stamped onto the medium, for the live system"

// AddFlags adds them. A verb that begins with a configuration has --ssh-key and --static-ip
// already, which change that.
func (o *Flags) AddFlags(f *pflag.FlagSet, configuration bool) {
	o.set = f
	add := func(name string) { o.names = append(o.names, name) }
	if !configuration {
		f.StringArrayVar(&o.given.SSHKeys, "ssh-key", nil, "let root in with the public `KEY`, or those in a file, and start the SSH server (repeatable)")
		f.StringArrayVar(&o.given.StaticIPs, "static-ip", nil,
			"give an interface, such as eth0 or 'en*', an address: `IFACE=ADDR/PREFIX`, then for a gateway ,gw=ADDR and for name servers ,dns=ADDR (repeatable)")
		f.StringArrayVar(&o.given.KernelParams, "kernel-param", nil, "add `PARAM` to the kernel's command line, of an image made with --stamp-params (repeatable)")
		add("kernel-param")
		add("ssh-key")
		add("static-ip")
	}
	f.StringVar(&o.given.HostName, "hostname", "", "call the host `NAME`; on disks {n} is the number of the disk, {serial} its serial number")
	f.StringArrayVar(&o.wifi, "wifi", nil, "know the wireless network `SSID=FILE`, whose passphrase is the first line of the file, - for standard input (repeatable)")
	f.StringArrayVar(&o.files, "add-file", nil, "put a file of this machine into the live system: `SRC:DEST`, then :MODE in octal digits (repeatable)")
	f.StringVar(&o.given.Script, "run-script", "", "run the shell script in `FILE` at the end of the boot")
	f.BoolVar(&o.given.Online, "run-online", false, "run it only when the network is up")
	f.StringVar(&o.password, "root-password-hash", "", "give root the password whose hash, as of mkpasswd, is the first line of `FILE`, - for standard input")
	f.StringVar(&o.given.Install, "auto-install", "",
		"have the live system install the system that the medium has by this `NAME`, on --auto-install-disk, and switch off: ten seconds after it started, which a key stops")
	f.StringArrayVar(&o.given.InstallDisks, "auto-install-disk", nil,
		"delete what this disk of the machine holds: `DEVICE` is named as below /dev/disk/by-id; of a system with several NAME=DEVICE for each (default: it asks)")
	f.StringVar(&o.install, "auto-install-password-hash", "", "give root of the installed system the password whose hash is the first line of `FILE`, - for standard input")
	f.StringVar(&o.from, "values", "", "take all of this from a TOML `FILE`, which can have a table for each disk: [stick.SERIAL] or [stick.1]")
	for _, name := range []string{"hostname", "wifi", "add-file", "run-script", "run-online", "root-password-hash", "auto-install", "auto-install-disk",
		"auto-install-password-hash", "values"} {
		add(name)
	}
}

// AddKey adds the flag with the key of images for Secure Boot.
func (o *Flags) AddKey(f *pflag.FlagSet) {
	f.StringVar(&o.key, "signing-key", "", "sign what is stamped by the key in `FILE`, which 'livebuild iso --keep-signing-key' made, as an image for Secure Boot wants it")
}

// Key reads the key; nil if none was given. The errors are those of [secureboot.ReadSigningKey].
func (o *Flags) Key() (*Key, error) {
	if o.key == "" {
		return nil, nil
	}
	key, err := secureboot.ReadSigningKey(o.key)
	return &Key{o.key, key}, err
}

// Given is one of the flags that was given, or empty.
func (o *Flags) Given() string {
	for _, name := range o.names {
		if f := o.set.Lookup(name); f != nil && f.Changed {
			return name
		}
	}
	return ""
}

// Values are what is to be stamped.
type Values struct{ values }

// Read reads the flags and the files that they name, for one target or several. It returns nil if none was given. Errors are of
// type *face.UsageError.
func (o *Flags) Read(in io.Reader) (*Values, error) {
	if o.Given() == "" {
		if o.key != "" {
			return nil, face.Usage(errors.New("--signing-key signs what is stamped, and nothing is: --hostname, --ssh-key and others say what"))
		}
		return nil, nil
	}
	v, err := o.read(in)
	if err != nil {
		return nil, face.Usage(err)
	}
	return &Values{v}, nil
}

func (o *Flags) read(in io.Reader) (v values, err error) {
	if o.from != "" {
		if v, err = readValues(o.from); err != nil {
			return v, fmt.Errorf("--values: %w", err)
		}
	}
	given := o.given
	if given.Online && given.Script == "" && v.Script == "" {
		return v, errors.New("--run-online is about --run-script, which is missing")
	}
	for _, text := range o.wifi {
		at := strings.LastIndexByte(text, '=')
		if at < 1 || at == len(text)-1 {
			return v, fmt.Errorf("--wifi %q: SSID=FILE is wanted; a passphrase among arguments could be seen by all users of this machine", text)
		}
		passphrase, err := firstLine(text[at+1:], in)
		if err != nil {
			return v, fmt.Errorf("--wifi: %w", err)
		}
		given.Wifi = append(given.Wifi, network{text[:at], passphrase})
	}
	for _, text := range o.files {
		words := strings.Split(text, ":")
		if len(words) < 2 || len(words) > 3 || words[0] == "" {
			return v, fmt.Errorf("--add-file %q: SRC:DEST or SRC:DEST:MODE is wanted", text)
		}
		given.Files = append(given.Files, file{words[0], words[1], strings.Join(words[2:], "")})
	}
	if o.password != "" {
		if given.PasswordHash, err = firstLine(o.password, in); err != nil {
			return v, fmt.Errorf("--root-password-hash: %w", err)
		}
	}
	if o.install != "" {
		if given.InstallHash, err = firstLine(o.install, in); err != nil {
			return v, fmt.Errorf("--auto-install-password-hash: %w", err)
		}
	}
	return v.over(given), nil
}

// firstLine is that of a file, or of standard input.
func firstLine(name string, in io.Reader) (string, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// HasKernelParams reports whether some target gets words for the kernel's command line; nil has none.
func (v *Values) HasKernelParams() bool {
	if v == nil {
		return false
	}
	for _, stick := range v.Sticks {
		if len(stick.KernelParams) > 0 {
			return true
		}
	}
	return len(v.KernelParams) > 0
}

// For are the items of a target. The error is a *face.UsageError.
func (v *Values) For(t Target) (stamp.Items, error) {
	items, err := v.items(t)
	if err == nil && items.Empty() {
		err = errors.New("there is nothing to be stamped")
	}
	if err != nil {
		return items, face.Usage(err)
	}
	return items, nil
}
