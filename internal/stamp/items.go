package stamp

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"unicode"
)

// Items are what is stamped. The zero value is nothing.
type Items struct {
	HostName     string
	SSHKeys      []string // lines of authorized_keys, of root
	Addresses    []Address
	Wifi         []Wifi
	Files        []File
	Run          []byte   // a script for /bin/sh, at the end of the boot
	RunOnline    bool     // only when the network is up
	PasswordHash string   // of root, as in shadow(5)
	KernelParams []string // words at the end of the kernel's command line
	Install      Install
}

// Address is that of a network interface.
type Address struct {
	Interface string       // a name, or a pattern such as "en*"
	Prefix    netip.Prefix // the address, with the length of its network
	Gateway   netip.Addr   // or invalid
	DNS       []netip.Addr
}

// Wifi is a wireless network with WPA2 or WPA3.
type Wifi struct{ SSID, Passphrase string }

// File is one that is put into the live system.
type File struct {
	Path string // absolute
	Mode uint32 // permissions
	Data []byte
}

// ItemError reports an item that cannot be stamped.
type ItemError struct {
	What   string // "host name", "file"
	Text   string
	Reason string
}

func (e *ItemError) Error() string { return fmt.Sprintf("%s %q %s", e.What, e.Text, e.Reason) }

// Empty tells whether there is nothing to be stamped.
func (i Items) Empty() bool { return len(i.entries()) == 0 }

// Secret tells whether the stamp has more than everybody may read.
func (i Items) Secret() bool {
	for _, e := range i.entries() {
		if e.Secret {
			return true
		}
	}
	return false
}

// Check refuses items that have no meaning. The error is an *ItemError.
func (i Items) Check() error {
	if reason := wrongHostName(i.HostName); i.HostName != "" && reason != "" {
		return &ItemError{"host name", i.HostName, reason}
	}
	for _, w := range i.Wifi {
		switch {
		case w.SSID == "" || len(w.SSID) > 32 || strings.IndexFunc(w.SSID, unicode.IsControl) >= 0:
			return &ItemError{"wireless network", w.SSID, "is no name of one: those have 1 to 32 bytes"}
		case len(w.Passphrase) < 8 || len(w.Passphrase) > 63 || strings.IndexFunc(w.Passphrase, func(r rune) bool { return r < ' ' || r > '~' }) >= 0:
			// IEEE 802.11, J.4.1: 8 to 63 characters of ASCII.
			return &ItemError{"wireless network", w.SSID, "needs a passphrase of 8 to 63 characters of ASCII"}
		}
	}
	for n, f := range i.Files {
		switch {
		case !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" || strings.IndexFunc(f.Path, unicode.IsControl) >= 0:
			return &ItemError{"file", f.Path, "is no absolute path"}
		case strings.HasPrefix(f.Path+"/", "/nix/store/"), strings.HasPrefix(f.Path+"/", "/proc/"), strings.HasPrefix(f.Path+"/", "/sys/"):
			return &ItemError{"file", f.Path, "is where no file can be put"}
		case f.Mode&^0o777 != 0:
			return &ItemError{"file", f.Path, "has a mode beyond 0777"}
		case f.Path == "/"+answersFile && i.Install.System != "":
			return &ItemError{"file", f.Path, "is where the answers for an installation are put"}
		}
		for _, other := range i.Files[:n] {
			if other.Path == f.Path {
				return &ItemError{"file", f.Path, "is given twice"}
			}
		}
	}
	for _, word := range i.KernelParams {
		if reason := wrongParam(word); reason != "" {
			return &ItemError{"kernel parameter", word, reason}
		}
	}
	if i.PasswordHash != "" && !isHash(i.PasswordHash) {
		return errNoHash
	}
	return i.Install.check()
}

var errNoHash = &ItemError{"password", "…", "is no hash; 'mkpasswd' of the package mkpasswd makes one"}

// isHash reports whether a text is what shadow(5) has of a password.
func isHash(text string) bool {
	return strings.HasPrefix(text, "$") && !strings.ContainsAny(text, ": \t\n")
}

// wrongHostName says why a name is none of a host (hostname(7)).
func wrongHostName(name string) string {
	if len(name) > 63 {
		return "has more than 63 characters"
	}
	for i, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case r == '-' && i > 0 && i < len(name)-1:
		default:
			return "is no name of a host: those have letters, digits and hyphens"
		}
	}
	return ""
}

// entries are the items as they are shown.
func (i Items) entries() []Entry {
	entries := []Entry{}
	add := func(kind, text string, secret bool) { entries = append(entries, Entry{kind, text, secret}) }
	if i.HostName != "" {
		add("host name", i.HostName, false)
	}
	for _, key := range i.SSHKeys {
		add("SSH key", fingerprint(key), false)
	}
	for _, a := range i.Addresses {
		add("address", a.text(), false)
	}
	for _, w := range i.Wifi {
		add("wireless network", w.SSID, true)
	}
	for _, f := range i.Files {
		add("file", fmt.Sprintf("%s, mode %04o, %d bytes", f.Path, f.Mode, len(f.Data)), true)
	}
	if i.Run != nil {
		text := fmt.Sprintf("%d bytes", len(i.Run))
		if i.RunOnline {
			text += ", when the network is up"
		}
		add("script", text, true)
	}
	if i.PasswordHash != "" {
		add("password", "of root", true)
	}
	if i.Install.System != "" {
		add("installation", i.Install.text(), i.Install.PasswordHash != "")
	}
	if len(i.KernelParams) > 0 {
		add(paramsKind, strings.Join(i.KernelParams, " "), false)
	}
	return entries
}

// paramsKind is the entry whose text is on the command lines, too.
const paramsKind = "kernel parameters"

// onlyParams reports whether the live system has nothing to do.
func (i Items) onlyParams() bool {
	entries := i.entries()
	return len(entries) == 1 && entries[0].Kind == paramsKind
}

func (a Address) text() string {
	text := a.Interface + "=" + a.Prefix.String()
	if a.Gateway.IsValid() {
		text += ",gw=" + a.Gateway.String()
	}
	for _, server := range a.DNS {
		text += ",dns=" + server.String()
	}
	return text
}

// fingerprint is a public key as 'ssh-keygen -l' shows it, and its comment.
func fingerprint(line string) string {
	words := strings.Fields(line)
	for n := range words[:max(0, len(words)-1)] {
		blob, err := base64.StdEncoding.DecodeString(words[n+1])
		if err != nil || !strings.Contains(words[n], "-") {
			continue
		}
		sum := sha256.Sum256(blob)
		return strings.Join(append([]string{words[n], "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])}, words[n+2:]...), " ")
	}
	return line
}
