package secureboot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/livebuild/livebuild/pkg/authenticode"
)

// Shim is the two programs that start before GRUB where the firmware does not know the user's
// certificate: shim, and MokManager, which lets people enrol it.
type Shim struct {
	Program    []byte
	MokManager []byte
	Demands    SBAT // of what it starts, by itself; nil if it is older than that
	folder     string
}

// ShimError says that a folder has no shim that can be used.
type ShimError struct{ Folder, Reason string }

func (e *ShimError) Error() string { return e.Folder + ": " + e.Reason }

// DemandError says that a shim would not start a GRUB.
type DemandError struct {
	Folder string
	Wanted Component
	Has    SBAT
}

func (e *DemandError) Error() string {
	return fmt.Sprintf("the shim in %s demands %s,%d of what it starts, and this GRUB says of itself %s: it would be refused (SBAT)",
		e.Folder, e.Wanted.Name, e.Wanted.Generation, e.Has)
}

// machines are the names of processors in the names of programs (UEFI 2.10 §3.5.1.1).
var machines = map[string]authenticode.Machine{
	"x64": authenticode.AMD64, "ia32": authenticode.I386, "aa64": authenticode.ARM64, "arm": authenticode.ARM, "riscv64": authenticode.RISCV64,
}

// maxProgram bounds a program of a shim, in bytes; they have about 1 MB.
const maxProgram = 16 << 20

// ReadShim reads shim and MokManager for a processor, "x64", from a folder in which they have the
// names that distributions give them: shimx64.efi and mmx64.efi, or with .signed behind.
// The error is a [*ShimError], or comes from the files.
func ReadShim(folder, arch string) (*Shim, error) {
	s := &Shim{folder: folder}
	for _, program := range []struct {
		name string
		into *[]byte
	}{{"shim" + arch + ".efi", &s.Program}, {"mm" + arch + ".efi", &s.MokManager}} {
		data, err := readSigned(filepath.Join(folder, program.name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &ShimError{folder, fmt.Sprintf("it has no %s", program.name)}
		}
		if err != nil {
			return nil, err
		}
		image, err := authenticode.Parse(data)
		if err != nil {
			return nil, &ShimError{folder, fmt.Sprintf("%s is %v", program.name, err)}
		}
		if image.Machine != machines[arch] {
			return nil, &ShimError{folder, fmt.Sprintf("%s is for another processor", program.name)}
		}
		if program.into == &s.Program {
			if s.Demands, err = demanded(image); err != nil {
				return nil, &ShimError{folder, fmt.Sprintf("%s: %v", program.name, err)}
			}
		}
		*program.into = data
	}
	return s, nil
}

// readSigned reads a program; one that a distribution has signed before the one that it signed.
func readSigned(name string) ([]byte, error) {
	for _, file := range []string{name + ".signed", name} {
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) && file != name {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Size() > maxProgram {
			return nil, &ShimError{filepath.Dir(name), filepath.Base(file) + " is too large"}
		}
		return os.ReadFile(file)
	}
	return nil, fs.ErrNotExist
}

// check finds out whether a shim starts what says that of itself.
func (s *Shim) check(sbat SBAT) error {
	for _, wanted := range s.Demands {
		// Of what a program does not have, nothing is demanded.
		if has := sbat.generation(wanted.Name); has != 0 && has < wanted.Generation && wanted.Name != "shim" {
			return &DemandError{s.folder, wanted, sbat}
		}
	}
	return nil
}
