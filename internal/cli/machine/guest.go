package machine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// planned are the systems of an image that is not there yet.
func planned(p *image.Plan) []boottest.System {
	var systems []boottest.System
	for _, sys := range p.Systems() {
		arch, _, _ := strings.Cut(sys.Platform, "-")
		if arch == "i686" { // runs on the same machine
			arch = string(qemu.X86_64)
		}
		s := boottest.System{Arch: arch, Firmware32: sys.EFIArch == "ia32"}
		if len(p.Systems()) > 1 {
			s.Name, s.Init = sys.Name, path.Join(sys.Root().Toplevel.Out, "init")
		}
		modes := p.Medium().Modes
		if p.Medium().Tree.FromFile() {
			modes = slices.Concat(modes, medium.FileModes(arch == string(qemu.X86_64)))
		}
		for _, mode := range modes {
			if (mode.UEFI() || mode.AsFile()) && sys.MakeEFIBootable || !mode.UEFI() && sys.MakeBIOSBootable {
				s.Modes = append(s.Modes, mode)
			}
		}
		systems = append(systems, s)
	}
	return systems
}

// chosenError says that an image has no system of a name.
type chosenError struct {
	name  string
	names []string
}

func (e *chosenError) Error() string {
	if len(e.names) == 0 {
		return fmt.Sprintf("the image has one system: --choose %s has nothing to choose from", e.name)
	}
	return fmt.Sprintf("the image has no system %q", e.name)
}

// choose returns those systems of some that are named, or all.
func choose(systems []boottest.System, names []string) ([]boottest.System, error) {
	if len(names) == 0 {
		return systems, nil
	}
	var chosen []boottest.System
	for _, name := range names {
		n := slices.IndexFunc(systems, func(s boottest.System) bool { return s.Name == name })
		if n < 0 {
			e := &chosenError{name: name}
			for _, s := range systems {
				if s.Name != "" {
					e.names = append(e.names, s.Name)
				}
			}
			return nil, e
		}
		chosen = append(chosen, systems[n])
	}
	return chosen, nil
}

// machineOf is the machine that a system is for.
func machineOf(s boottest.System) qemu.Machine {
	return qemu.Machine{Arch: qemu.Arch(s.Arch), Firmware32: s.Firmware32}
}

// guestOptions are the flags about the machine that an image is started in.
type guestOptions struct {
	memory    string
	given     *pflag.Flag // of memory
	noNetwork bool
}

func (o *guestOptions) addFlags(cmd *cobra.Command, short, memory string) {
	f := cmd.Flags()
	f.StringVarP(&o.memory, "memory", short, memory, "give the guest so much memory: `SIZE` is in MiB, or has a unit as in 2G")
	o.given = f.Lookup("memory")
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

// enough is so much memory, or more if nobody has said how much and an archive for kexec needs it.
func (o *guestOptions) enough(mib int, m *medium.File) int {
	if m.Form != medium.Archive || o.given.Changed {
		return mib
	}
	return max(mib, boottest.KexecMemory(m))
}

// checkKexec refuses to start an archive for kexec as what it is not.
func checkKexec(secure bool) error {
	if secure {
		return face.Usage(errors.New("--secure-boot is about images: nothing that is started by kexec is signed here"))
	}
	return nil
}
