package machine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/qemu"
	"github.com/livebuild/livebuild/internal/report"
)

// AboutBoots is the heading of the flags, with a verb that can do without.
const AboutBoots = "Boots, with --test"

// TestOptions are the flags about boots that are judged.
type TestOptions struct {
	guestOptions
	secure  secureOptions
	modes   []string
	choose  []string
	expect  string
	reject  string
	timeout time.Duration
	timed   *pflag.Flag // of timeout
	jobs    int
	logs    string
	junit   string
	summary face.Summary
	json    bool
	install installOptions
}

// Test is the verb.
func Test(app *face.App) *cobra.Command {
	v := verbs{app}
	var opts TestOptions
	cmd := &cobra.Command{
		Use:   "test IMAGE|FOLDER|ARCHIVE [flags]",
		Short: "Boot an image in virtual machines and see whether it comes up",
		Long: `Boot an image, a folder that 'livebuild netboot' made, or an archive of 'livebuild kexec',
in every way that it claims to start a machine, and watch its serial console until it
shows a login prompt, or --expect matches a line. A kernel panic, an emergency shell, a prompt of the boot
loader and the like end a boot at once. The image is only read; it can be anyone's.

A system that leaves the serial console alone, or whose boot menu waits, is booted
with a changed menu: the boot loader reads a copy in which the default entry has a
serial console and starts by itself. The kernel finds the medium as it is. An image
that can be made to speak in no way is not judged, instead of called one that does
not boot.

With --modes loopback the image is a file on a disk with FAT, from which a GRUB of this
machine starts it by UEFI, as people do who keep several images on one stick; with
loopback-exfat or loopback-ext4 on one with these, with loopback-bios by a BIOS.

An archive for kexec is unpacked and run by a Linux that has the archive's own kernel and
programs, and nothing else: neither disks nor a network. What is judged is the system
that comes up in its place.

With --install a system of an image that 'livebuild iso --install' made is installed on
empty disks, in a machine without a network, and then these are booted alone. What is
judged is that the second boot comes up; its boot menu is given a serial console.

One line for each boot is printed on standard output. Of a boot that failed, the
console and a screenshot are kept as NAME.MODE.log and NAME.MODE.png. The exit
status is 3 if the image did not boot, and 1 if it could not be tried.`,
		Example: `  livebuild test nixos.iso
  livebuild test nixos.iso --modes uefi-usb --expect 'sshd.*listening'
  livebuild test nixos.iso --modes loopback
  livebuild test nixos.iso --install example
  livebuild test nixos.iso --junit report.xml --logs logs/
  livebuild test nixos.iso --secure-boot`,
		Args: face.OneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			return v.runTest(cmd.Context(), args[0], opts)
		},
	}
	opts.AddFlags(cmd)
	f := cmd.Flags()
	opts.install.addFlags(f)
	v.Formerly(f, "timeout", testTimeout, "with other verbs it is Nix's limit of a build")
	f.IntVar(&opts.jobs, "jobs", 0, "boot at most `N` at once (default: as many as processors and memory allow)")
	f.StringVar(&opts.junit, "junit", "", "write the results as JUnit XML to `FILE`")
	opts.summary.AddFlag(f)
	f.BoolVar(&opts.json, "json", false, "print the result as JSON")
	return cmd
}

const testTimeout = "test-timeout" // --timeout is Nix's

// AddFlags adds those that 'livebuild iso --test' has, too.
func (o *TestOptions) AddFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&o.modes, "modes", nil, "boot in these `MODES` only: bios-cd, bios-usb, uefi-cd, uefi-usb, netboot-bios, netboot-uefi, kexec, loopback, loopback-exfat, loopback-ext4, loopback-bios")
	f.StringArrayVar(&o.choose, "choose", nil, "of several systems, boot `NAME` only (repeatable)")
	f.StringVar(&o.expect, "expect", "", "the system has come up when a line of its console matches `REGEX` (default: a login prompt)")
	f.StringVar(&o.reject, "reject", "", "the system has not come up when a line of its console matches `REGEX`")
	f.DurationVar(&o.timeout, testTimeout, 0, "give up on a boot after `TIME` (default: 5m, 20m where the processor is emulated)")
	o.timed = f.Lookup(testTimeout)
	o.guestOptions.addFlags(cmd, "", "1G")
	o.secure.addFlags(f)
	f.StringVar(&o.logs, "logs", "", "keep the consoles of all boots, and what failed ones show, in `FOLDER`")
}

// Boots are what is to be tried, checked.
type Boots struct {
	modes   []medium.Mode // empty: those that the image claims
	systems []string      // names; empty: all that it has
	options boottest.Options
	memory  int // MiB
	jobs    int // 0: as many as the host allows
	network bool
	trust   *trust // nil without Secure Boot
	logs    string // folder for what is kept
	keepAll bool   // and not of failed boots alone
}

// Check checks the flags. Errors are of type *face.UsageError.
func (o *TestOptions) Check() (*Boots, error) {
	t := &Boots{
		options: boottest.Options{Limit: o.timeout},
		systems: o.choose,
		jobs:    o.jobs,
		network: !o.noNetwork,
		logs:    o.logs,
		keepAll: o.logs != "",
	}
	for _, name := range o.modes {
		mode := medium.Mode(name)
		if !slices.Contains(medium.AllModes(), mode) {
			return nil, face.Usage(fmt.Errorf("--modes: there is no mode %q; there are %s", name, strings.Join(report.ModeNames(medium.AllModes()), ", ")))
		}
		if !slices.Contains(t.modes, mode) {
			t.modes = append(t.modes, mode)
		}
	}
	for _, flag := range []struct {
		name, text string
		to         **regexp.Regexp
	}{{"expect", o.expect, &t.options.Expect}, {"reject", o.reject, &t.options.Reject}} {
		if flag.text == "" {
			continue
		}
		expression, err := regexp.Compile(flag.text)
		if err != nil {
			return nil, face.Usage(fmt.Errorf("--%s: %w", flag.name, err))
		}
		*flag.to = expression
	}
	if o.jobs < 0 {
		return nil, face.Usage(fmt.Errorf("--jobs needs a number of boots, not %d", o.jobs))
	}
	if o.timeout < 0 || o.timeout == 0 && o.timed.Changed {
		return nil, face.Usage(fmt.Errorf("the time for a boot is one such as 90s or 5m, not %s", o.timeout))
	}
	var err error
	if t.trust, err = o.secure.read(); err != nil {
		return nil, err
	}
	t.memory, err = o.memoryMiB()
	return t, err
}

func (v verbs) runTest(ctx context.Context, path string, opts TestOptions) (err error) {
	t, err := opts.Check()
	if err != nil {
		return err
	}
	if err := opts.summary.Check(); err != nil {
		return err
	}
	if isImage, err := medium.NamesImage(path); err == nil && !isImage {
		return face.Usage(fmt.Errorf("%s is no file; 'livebuild iso INSTALLABLE --test' tests what it builds", path))
	}
	m, err := v.OpenMedium(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	var systems []boottest.System
	switch {
	case m.Netboot != nil:
		systems = []boottest.System{{Arch: m.Arch, Modes: m.Modes}}
		err = checkNetwork(!t.network, t.trust != nil)
	case m.Form == medium.Archive:
		systems = []boottest.System{{Arch: m.Arch, Modes: m.Modes}}
		t.memory = opts.enough(t.memory, m)
		err = checkKexec(t.trust != nil)
	default:
		systems, err = boottest.Systems(m.Medium)
	}
	if err != nil {
		return err
	}
	if err := opts.install.prepare(m, t, systems); err != nil {
		return err
	}
	ways, err := v.waysOf(ctx, nil, t, systems)
	if err != nil {
		return err
	}
	boots, err := v.bootAll(ctx, t, ways, m, v.Teller(opts.json))
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	failed := failure(boots)
	result := report.Boots{
		File: absolute, VolumeID: m.Volume.ID, Arch: m.Arch, Accel: ways[0].machines.Accel(), Passed: failed == nil, Boots: boots,
	}
	err = errors.Join(v.Print(result, opts.json), opts.summary.Write(result))
	if opts.junit != "" {
		err = errors.Join(err, report.WriteJUnit(opts.junit, filepath.Base(path), boots))
	}
	if err != nil {
		return err
	}
	return failed
}

// checkNetwork refuses to start what comes over the network without one, or as if it were signed.
func checkNetwork(none, secure bool) error {
	switch {
	case none:
		return face.Usage(errors.New("a system that comes over the network needs the one that --no-network takes away"))
	case secure:
		return face.Usage(errors.New("--secure-boot is about images: nothing that comes over the network is signed here"))
	}
	return nil
}

// guest is the machine to try an image in that is for another one.
func (t *Boots) guest(m qemu.Machine) qemu.Machine {
	m.MemoryMiB, m.Network, m.SecureBoot = t.memory, t.network, t.trust != nil
	return m
}

// modesOf are those to be tried of an image that claims some.
func (t *Boots) modesOf(claimed []medium.Mode) ([]medium.Mode, error) {
	for _, mode := range t.modes {
		if err := mode.Check(claimed); err != nil {
			return nil, err
		}
		if t.trust != nil && mode.AsFile() {
			return nil, face.Usage(errors.New("--modes " + string(mode) + ": the GRUB that starts the file is signed by nobody, and firmware with Secure Boot on would not start it"))
		}
		if t.trust != nil && !mode.UEFI() {
			return nil, face.Usage(fmt.Errorf("--modes %s: a BIOS knows no Secure Boot", mode))
		}
	}
	if len(t.modes) > 0 {
		return t.modes, nil
	}
	// From a file only if that is asked for: it takes another GRUB, of this machine.
	modes := slices.DeleteFunc(t.trust.modes(slices.Clone(claimed)), medium.Mode.AsFile)
	if len(modes) == 0 {
		return nil, medium.UEFICD.Check(claimed)
	}
	return modes, nil
}
