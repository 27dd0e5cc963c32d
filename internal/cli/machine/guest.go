package machine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/qemu"
)

// hostMachines completes a machine, for each of these boot modes, with what this host has for running guests
// of an architecture, and says how fast that is. QEMU comes from the configuration's own nixpkgs if it
// is not on the PATH; b is nil where there is no configuration.
func (v verbs) hostMachines(ctx context.Context, b *build.Build, guest qemu.Machine, modes []medium.Mode) (boottest.Machines, error) {
	var err error
	guest.Program, err = qemu.FindProgram(guest.Arch)
	var missing *qemu.ProgramError
	if errors.As(err, &missing) && b != nil {
		guest.Program, err = b.Tool(ctx, "QEMU", "qemu", missing.Program)
	}
	if err != nil {
		return nil, err
	}
	machines, err := boottest.Complete(ctx, guest, modes)
	if err != nil {
		return nil, err
	}
	if machines.Accel() == qemu.TCG {
		v.Console.Line(fmt.Sprintf("KVM does not work here for %s: the processor is emulated, which takes several times as long", guest.Arch))
	}
	return machines, nil
}

// planned is the machine that an image is for.
func planned(p *image.Plan) qemu.Machine {
	arch, _, _ := strings.Cut(p.System().Platform, "-")
	m := qemu.Machine{Arch: qemu.Arch(arch), Firmware32: p.System().EFIArch == "ia32"}
	if arch == "i686" { // runs on the same machine
		m.Arch = qemu.X86_64
	}
	return m
}

// machineOf is the machine that an image is for.
func machineOf(m *medium.File) qemu.Machine {
	return qemu.Machine{Arch: qemu.Arch(m.Arch), Firmware32: m.Firmware32}
}

// guestOptions are the flags about the machine that an image is started in.
type guestOptions struct {
	memory    string
	noNetwork bool
}

func (o *guestOptions) addFlags(cmd *cobra.Command, short, memory string) {
	f := cmd.Flags()
	f.StringVarP(&o.memory, "memory", short, memory, "give the guest so much memory: `SIZE` is in MiB, or has a unit as in 2G")
	f.BoolVar(&o.noNetwork, "no-network", false, "give the guest no network")
}

// memoryMiB is what --memory says.
func (o *guestOptions) memoryMiB() (int, error) {
	bytes, err := face.ParseSize(o.memory, 'M')
	if err != nil || bytes < 1<<20 || bytes>>20 > math.MaxInt32 {
		return 0, face.Usage(fmt.Errorf("--memory needs a size such as 2048 or 2G, not %q", o.memory))
	}
	return int(bytes >> 20), nil
}
