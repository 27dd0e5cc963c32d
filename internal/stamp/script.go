package stamp

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"path"
	"strings"

	"github.com/livebuild/livebuild/pkg/cpio"
)

//go:embed apply.sh
var applyScript string

//go:embed unstamp.sh
var unstampScript string

//go:embed address.sh
var addressScript string

// Names of files in the folder of the stamp.
const (
	applyFile   = "apply"
	unstampFile = "unstamp" // kept, where files are; see keptUnstamp
	addressFile = "address"
	byIPFile    = "by-ip" // made by the script, where addresses are left to us
	keysFile    = "ssh-keys"
	runFile     = "run"
)

// keptUnstamp is a script that a stamp leaves in the live system: where that keeps its files, it takes away what
// is stamped no more. It is run by the next stamp, or by a unit of systems that keep files.
const keptUnstamp = "/var/lib/livebuild/unstamp"

// quote returns text as one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// files are the members of the stamp behind its manifest, in order. None has a space in its
// name: the stage 1 of NixOS loops over words.
func (i Items) files() []cpio.Member {
	var files []cpio.Member
	if i.onlyParams() {
		return nil
	}
	var script, undo strings.Builder
	script.WriteString(applyScript + "\n")
	undo.WriteString(unstampScript + "\n")
	call := func(words ...string) { script.WriteString(strings.Join(words, " ") + "\n") }
	callUndo := func(words ...string) { undo.WriteString(strings.Join(words, " ") + "\n") }
	payload := func(name string, data []byte) string {
		file := path.Join(folder, name)
		files = append(files, secret(file, 0o600, data))
		return "/" + file
	}
	if i.HostName != "" {
		call("host_name", quote(i.HostName))
		callUndo("host_name", quote(i.HostName))
	}
	if i.PasswordHash != "" {
		call("password", quote(i.PasswordHash))
		callUndo("password", quote(i.PasswordHash))
	}
	for n, f := range i.Files {
		call("put", payload(fmt.Sprintf("file-%d", n), f.Data), fmt.Sprintf("%04o", f.Mode), quote(f.Path))
		callUndo("put", quote(f.Path), fmt.Sprintf("%x", sha256.Sum256(f.Data)))
	}
	links := i.interfaces()
	for n, l := range links {
		payload(fmt.Sprintf("interface-%d.nmconnection", n), []byte(l.connection(n)))
		payload(fmt.Sprintf("interface-%d.network", n), []byte(l.networkd()))
		call("interface", fmt.Sprint(n), quote(l.name))
	}
	for n, w := range i.Wifi {
		payload(fmt.Sprintf("wifi-%d.nmconnection", n), []byte(w.connection(n)))
		payload(fmt.Sprintf("wifi-%d.psk", n), []byte(w.iwd()))
		payload(fmt.Sprintf("wifi-%d.conf", n), []byte(w.supplicant()))
		call("wifi", fmt.Sprint(n), quote(w.SSID), quote(w.iwdName()))
		callUndo("wifi", quote(w.iwdName()))
	}
	if len(i.SSHKeys) > 0 {
		call("ssh_keys", payload(keysFile, []byte(strings.Join(i.SSHKeys, "\n")+"\n")))
		callUndo("ssh_keys")
	}
	if len(links) > 0 {
		text := addressScript + "\n"
		for _, l := range links {
			text += l.byIP() + "\n"
		}
		payload(addressFile, []byte(text))
	}
	if i.Run != nil {
		payload(runFile, i.Run)
	}
	if i.Install.System != "" {
		files = append(files, i.Install.file())
	}
	callUndo("rm", "-f", keptUnstamp)
	payload(unstampFile, []byte(undo.String()))
	payload(applyFile, []byte(script.String()))
	for _, u := range i.units() {
		files = append(files, secret(path.Join(units, u.name), 0o644, []byte(u.text)))
		wants := fmt.Sprintf("[Unit]\nWants=%s\n", u.name)
		files = append(files, secret(path.Join(units, u.wantedBy+".d", u.name+".conf"), 0o644, []byte(wants)))
	}
	return files
}

// unit is a service of systemd, and the target that wants it.
type unit struct{ name, wantedBy, text string }

// units are what does the work. A drop-in of a target wants each: stage 1 copies files alone,
// and no links.
func (i Items) units() []unit {
	const service = `[Service]
Type=oneshot
RemainAfterExit=yes
Environment=PATH=/run/current-system/sw/bin
`
	all := []unit{{"livebuild-stamp.service", "sysinit.target", `[Unit]
Description=What Was Stamped Onto the Medium
DefaultDependencies=no
After=local-fs.target systemd-tmpfiles-setup.service
Before=network-pre.target sshd.service sshd.socket NetworkManager.service iwd.service wpa_supplicant.service systemd-networkd.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

` + service + "ExecStart=/bin/sh /" + path.Join(folder, applyFile) + "\n"}}
	if len(i.Addresses) > 0 {
		all = append(all, unit{"livebuild-stamp-address.service", "multi-user.target", `[Unit]
Description=Addresses That Were Stamped Onto the Medium
ConditionPathExists=/` + path.Join(folder, byIPFile) + `
After=livebuild-stamp.service network-pre.target
Before=network-online.target

` + service + "ExecStart=/bin/sh /" + path.Join(folder, addressFile) + "\n"})
	}
	if i.Run != nil {
		after := "livebuild-stamp.service"
		if i.RunOnline {
			after += " network-online.target\nWants=network-online.target"
		}
		all = append(all, unit{"livebuild-stamp-run.service", "multi-user.target", `[Unit]
Description=The Script That Was Stamped Onto the Medium
After=` + after + `

` + service + "ExecStart=/bin/sh /" + path.Join(folder, runFile) + "\n"})
	}
	return all
}
