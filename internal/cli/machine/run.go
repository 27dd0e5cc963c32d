package machine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/cli/request"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/qemu"
)

type runOptions struct {
	request.Options
	guestOptions
	secure          secureOptions
	bios, uefi, usb bool
	asFile          bool
	ssh             string
	disk            string
	choose          string // system
	console         bool
	display         string
	print           bool
	extra           []string // arguments of QEMU
}

// Run is the verb.
func Run(app *face.App) *cobra.Command {
	v := verbs{app}
	var opts runOptions
	cmd := &cobra.Command{
		Use:   "run IMAGE|FOLDER|ARCHIVE|INSTALLABLE [flags] [-- QEMU-ARGUMENT...]",
		Short: "Start an image in a virtual machine",
		Long: `Start an image in a virtual machine that fits it. Given an INSTALLABLE, build its
image first; it is gone with the machine. A FOLDER that 'livebuild netboot' made, or a
script for iPXE (*.ipxe), is started over a network, by QEMU's iPXE and HTTP; an ARCHIVE
of 'livebuild kexec' by a Linux that is its own kernel and programs.

The machine has a window if there is a graphical session, otherwise the system's
serial console is in this terminal: there, ctrl-a x ends the machine. What the
system writes to its medium or to its disk is gone afterwards.`,
		Example: `  livebuild run nixos.iso
  livebuild run .#exampleIso --compression zstd:3
  livebuild run nixos.iso --console --usb --bios
  livebuild run nixos.iso --disk 20G --ssh -m 4G
  livebuild run nixos.iso --as-file
  livebuild run nixos.iso -- -device virtio-rng-pci`,
		Args: func(cmd *cobra.Command, args []string) error {
			if args, _ = splitAtDash(cmd, args); len(args) == 0 && cmd.Flags().Changed("file") {
				return nil
			}
			return face.CheckOne(args, "which image? a file or an installable is missing",
				"one image is wanted, not %d; arguments of QEMU go after --")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			args, opts.extra = splitAtDash(cmd, args)
			what, err := opts.Subject(args)
			if err != nil {
				return err
			}
			return v.runRun(cmd.Context(), what, opts)
		},
	}
	opts.AddBuildFlags(cmd)
	opts.AddSecureBootFlags(cmd.Flags())
	opts.guestOptions.addFlags(cmd, "m", "2G")
	f := cmd.Flags()
	opts.secure.addFlags(f)
	f.BoolVar(&opts.bios, "bios", false, "start it by BIOS")
	f.BoolVar(&opts.uefi, "uefi", false, "start it by UEFI (default, if the image can)")
	f.BoolVar(&opts.usb, "usb", false, "start it from a USB stick instead of a disc")
	f.BoolVar(&opts.asFile, "as-file", false, "start it as a file on a disk with FAT, by a GRUB of this machine")
	f.StringVar(&opts.ssh, "ssh", "", "forward `PORT` of this machine to the guest's SSH server (default: 2222, or a free one)")
	f.Lookup("ssh").NoOptDefVal = anyPort
	f.StringVar(&opts.choose, "choose", "", "of several systems, start `NAME` (default: the one that starts by itself)")
	f.StringVar(&opts.disk, "disk", "", "add an empty disk of `SIZE`, as 20G, to install onto")
	f.BoolVar(&opts.console, "console", false, "use this terminal as the guest's serial console")
	v.Formerly(f, "serial", "console", "with other verbs it is the number of a disk")
	f.StringVar(&opts.display, "display", "", "show the guest's display by `KIND`: gtk, vnc or none (default: gtk in a graphical session)")
	f.BoolVar(&opts.print, "print", false, "print QEMU's command line and start nothing")
	return cmd
}

// splitAtDash returns the arguments before "--" and those after it.
func splitAtDash(cmd *cobra.Command, args []string) (before, after []string) {
	n := cmd.ArgsLenAtDash()
	if n < 0 {
		n = len(args)
	}
	return args[:n], args[n:]
}

// anyPort is the value of --ssh without one.
const anyPort = "any"

func (v verbs) runRun(ctx context.Context, what request.Subject, opts runOptions) (err error) {
	guest, err := opts.guest()
	if err != nil {
		return err
	}
	if opts.print && opts.choose != "" {
		return face.Usage(errors.New("--choose has the boot loader shown another menu, which a command line of QEMU cannot"))
	}
	trust, err := opts.secure.read()
	if err != nil {
		return err
	}
	switch guest.SecureBoot = trust != nil; {
	case guest.SecureBoot && opts.bios:
		return face.Usage(errors.New("--bios and --secure-boot exclude each other: a BIOS knows none"))
	case guest.SecureBoot && opts.print:
		return face.Usage(errors.New("--print and --secure-boot exclude each other: the keys of the firmware are in a file that is gone afterwards"))
	}
	switch {
	case opts.asFile && opts.usb:
		return face.Usage(errors.New("--as-file starts the image from a file on a stick: --usb does not go with it"))
	case opts.asFile && guest.SecureBoot:
		return face.Usage(errors.New("--as-file and --secure-boot exclude each other: the GRUB that starts the file is signed by nobody"))
	case opts.asFile && opts.print:
		return face.Usage(errors.New("--print and --as-file exclude each other: the disk with the file is there only while this runs"))
	}
	opts.uefi = opts.uefi || guest.SecureBoot
	if what.Image == "" && opts.print {
		return face.Usage(errors.New("--print needs an image: one that is built for this is gone afterwards"))
	}
	var m *medium.File
	var b *build.Build // of a configuration that has to be built
	if what.Image != "" {
		if m, err = v.OpenMedium(ctx, what.Image); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
	} else {
		// QEMU reads the image itself.
		if b, err = opts.Build(ctx, v.App, []installable.Installable{what.Installable}, image.Options{Plain: true}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		if err := b.EvaluateToPack(ctx); err != nil {
			return err
		}
	}
	// All that can be missing here is found out about before the build.
	of, err := opts.system(m, b)
	if err != nil {
		return err
	}
	guest.Arch, guest.Firmware32 = qemu.Arch(of.Arch), of.Firmware32
	mode, err := opts.mode(of.Modes)
	if err != nil {
		return err
	}
	if mode.Netboot() {
		if opts.print {
			return face.Usage(errors.New("--print needs an image: what comes over the network is given out only while this runs"))
		}
		if err := checkNetwork(opts.noNetwork, guest.SecureBoot); err != nil {
			return err
		}
	}
	if mode == medium.Kexec {
		if err := checkKexec(guest.SecureBoot); err != nil {
			return err
		}
		switch {
		case opts.print:
			return face.Usage(errors.New("--print needs an image: what starts an archive is there only while this runs"))
		case opts.bios || opts.uefi || opts.usb || opts.asFile:
			return face.Usage(errors.New("an archive is started by a Linux that runs: --bios, --uefi, --usb and --as-file do not go with it"))
		}
		guest.MemoryMiB = opts.enough(guest.MemoryMiB, m)
	}
	machines, err := v.hostMachines(ctx, b, guest, []medium.Mode{mode})
	if err != nil {
		return err
	}
	guest = machines[mode]
	if guest.Accel == qemu.KVM {
		guest.Processors = min(runtime.NumCPU(), mostProcessors)
	}
	if _, err := guest.SideBySide(1, 1); err != nil {
		return err
	}
	if b != nil {
		out, err := build.NewTemporary(face.CacheFolder())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.Abort()) }()
		if _, err := b.Pack(ctx, out, build.PackOptions{}); err != nil {
			return err
		}
		if m, err = v.NewMedium(ctx, out.Output, b.Plan().FileName()); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
	}
	machines, remove, err := trust.give(boottest.Machines{mode: guest}, m, v.Console.Line)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return v.attend(ctx, m, of, mode, machines[mode], opts.print)
}

// system is what is started of an image, or of a configuration's.
func (o *runOptions) system(m *medium.File, b *build.Build) (boottest.System, error) {
	if o.choose == "" && m != nil {
		of := boottest.System{Arch: m.Arch, Firmware32: m.Firmware32, Modes: m.Modes}
		if m.Netboot == nil {
			of.Modes = m.WithFile(m.Modes)
		}
		return of, nil
	}
	var systems []boottest.System
	var err error
	if b != nil {
		systems = planned(b.Plan())
	} else if systems, err = boottest.Systems(m.Medium); err != nil {
		return boottest.System{}, err
	}
	if o.choose != "" {
		if systems, err = choose(systems, []string{o.choose}); err != nil {
			return boottest.System{}, err
		}
	}
	return systems[0], nil
}

// mostProcessors is how many a guest gets where they cost nothing.
const mostProcessors = 4

// attend starts the machine and leaves it to the user, or prints how to.
func (v verbs) attend(ctx context.Context, m *medium.File, of boottest.System, mode medium.Mode, guest qemu.Machine, printOnly bool) (err error) {
	if printOnly {
		if guest.Image, err = filepath.Abs(m.Path); err != nil {
			return err
		}
		args, err := guest.Args()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(v.Out, human.ShellLine(append([]string{guest.Program}, args...)))
		return err
	}
	if guest.Serial == qemu.SerialTerminal || of.Init != "" || mode.Netboot() || mode.AsFile() || mode == medium.Kexec {
		prepare := boottest.PrepareMute
		if guest.Serial == qemu.SerialTerminal {
			prepare = boottest.Prepare
		}
		start, err := prepare(m, of, mode)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, start.Close()) }()
		guest = start.Machine(guest)
		if len(start.Menus) > 0 && guest.Serial == qemu.SerialTerminal {
			v.Console.Line(boottest.Changed{Mode: mode, Menus: start.Menus}.String())
		}
	} else if guest.Image, err = filepath.Abs(m.Path); err != nil {
		return err
	}
	v.Console.Line(fmt.Sprintf("starting %s as %s", m.Name, mode))
	if guest.SSHPort != 0 {
		// The keys of a live system are new each time it starts.
		v.Console.Line(fmt.Sprintf("log in with: ssh -p %d -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@127.0.0.1", guest.SSHPort))
	}
	if address, ok := strings.CutPrefix(guest.Display, vncDisplay); ok {
		v.Console.Line("the display is at vnc://" + address)
	}
	if guest.Serial == qemu.SerialTerminal {
		v.Console.Line("end with ctrl-a x")
	}
	v.Console.Finish()
	return qemu.Attend(ctx, guest, v.In, v.Out)
}

// guest is the machine that the flags describe.
func (o *runOptions) guest() (qemu.Machine, error) {
	m := qemu.Machine{Network: !o.noNetwork, Serial: qemu.SerialNone, Extra: o.extra}
	if o.bios && o.uefi {
		return m, face.Usage(errors.New("--bios and --uefi exclude each other"))
	}
	var err error
	if m.MemoryMiB, err = o.memoryMiB(); err != nil {
		return m, err
	}
	if o.disk != "" {
		// A number alone would mean megabytes to some and gigabytes to others.
		m.DiskBytes, err = face.ParseSize(o.disk, 'B')
		if err != nil || m.DiskBytes < 1<<20 || m.DiskBytes%(1<<10) != 0 {
			return m, face.Usage(fmt.Errorf("--disk needs a size such as 20G, not %q", o.disk))
		}
	}
	if o.ssh != "" {
		if o.noNetwork {
			return m, face.Usage(errors.New("--ssh needs the network that --no-network takes away"))
		}
		if m.SSHPort, err = sshPort(o.ssh); err != nil {
			return m, err
		}
	}
	if m.Display, err = display(o.display); err != nil {
		return m, err
	}
	if o.console || m.Display == "none" {
		m.Serial = qemu.SerialTerminal
	}
	return m, nil
}

// mode is how the image is started, of the modes that it claims.
func (o *runOptions) mode(claimed []medium.Mode) (medium.Mode, error) {
	if slices.Contains(claimed, medium.Kexec) {
		return medium.Kexec, nil
	}
	wanted := []medium.Mode{medium.UEFICD, medium.BIOSCD}
	if slices.ContainsFunc(claimed, medium.Mode.Netboot) {
		wanted = []medium.Mode{medium.NetbootUEFI, medium.NetbootBIOS}
	}
	if o.asFile {
		wanted = []medium.Mode{medium.Loopback, medium.LoopbackBIOS}
	} else if o.usb {
		wanted = []medium.Mode{medium.UEFIUSB, medium.BIOSUSB}
	}
	if o.bios || o.uefi {
		wanted = slices.DeleteFunc(wanted, func(m medium.Mode) bool { return m.UEFI() == o.bios })
	}
	for _, mode := range wanted {
		if slices.Contains(claimed, mode) {
			return mode, nil
		}
	}
	return "", wanted[0].Check(claimed)
}
