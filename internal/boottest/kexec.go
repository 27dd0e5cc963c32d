package boottest

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/livebuild/livebuild/internal/kexec"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/qemu"
	"github.com/livebuild/livebuild/pkg/cpio"
)

// Files of the machine that an archive for kexec is started in. It has the archive's own programs, and its kernel.
const (
	guestInit    = "init"
	guestBusybox = "bin/busybox"
	guestArchive = "archive.tar"
)

//go:embed kexecinit.sh
var kexecInit string

// kexecFailed is what that says of an archive that did not start its system.
var kexecFailed = regexp.MustCompile(`^livebuild: kexec failed: `)

// before is another Linux, which starts the system of an archive in its own place. Its files are gone when it is
// closed.
type before struct {
	console        string // parameter of both kernels; "" for that of their own
	kernel, initrd medium.Scratch
}

// newBefore makes what that Linux is started from: the archive's kernel, and an initrd with the whole archive, which
// unpacks and runs it as its users do.
func newBefore(m *medium.File, console string) (_ *before, err error) {
	if m.Scratch == nil {
		return nil, errors.New("there is no place for an archive's initrd")
	}
	b := &before{console: console}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.kernel, err = m.Scratch(); err != nil {
		return nil, err
	}
	if err := copyMember(m, kexec.Kernel, b.kernel); err != nil {
		return nil, err
	}
	if b.initrd, err = m.Scratch(); err != nil {
		return nil, err
	}
	return b, b.pack(m)
}

// pack writes the initrd.
func (b *before) pack(m *medium.File) error {
	busybox, err := member(m, kexec.Busybox)
	if err != nil {
		return err
	}
	program, err := io.ReadAll(busybox)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(kexecInit, b.console)
	head := cpio.Archive(cpio.WithFolders([]cpio.Member{
		{Name: guestInit, Mode: cpio.ModeRegular | 0o755, Data: []byte(text)},
		{Name: guestBusybox, Mode: cpio.ModeRegular | 0o755, Data: program},
	}))
	if _, err := b.initrd.WriteAt(head, 0); err != nil {
		return err
	}
	c := cpio.Carrier{Name: guestArchive, Mode: cpio.ModeRegular | 0o400, Behind: int64(len(head)), Unit: cpio.Align}
	archive := io.NewSectionReader(m.ReaderAt(), 0, m.Size)
	if _, err := io.CopyBuffer(io.NewOffsetWriter(b.initrd, c.Offset()), struct{ io.Reader }{archive}, make([]byte, 1<<20)); err != nil {
		return err
	}
	_, err = c.Finish(b.initrd, m.Size)
	return err
}

// maxMember bounds a program or a kernel of an archive, in bytes.
const maxMember = 256 << 20

// member opens a file of an archive.
func member(m *medium.File, name string) (*io.SectionReader, error) {
	f, err := m.Files().Find(m.Beside(name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", m.Beside(name), err)
	case f.Size > maxMember:
		return nil, fmt.Errorf("%s has %d bytes, more than any", m.Beside(name), f.Size)
	}
	return m.Files().Open(f), nil
}

func copyMember(m *medium.File, name string, to io.WriterAt) error {
	r, err := member(m, name)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(to, 0), r)
	return err
}

// machine returns the machine that starts from these files. Its root directory is not bounded by half of the memory,
// as it is where it is a tmpfs (init/do_mounts.c, init_rootfs).
func (b *before) machine(m qemu.Machine) qemu.Machine {
	m.Kernel, m.Initrd = b.kernel.Name(), b.initrd.Name()
	m.CommandLine = strings.TrimSpace(b.console + " quiet panic=-1 rootfstype=ramfs")
	return m
}

func (b *before) close() (err error) {
	for _, s := range []medium.Scratch{b.kernel, b.initrd} {
		if s != nil {
			err = errors.Join(err, s.Abort())
		}
	}
	return err
}

// KexecMemory is how much memory a machine needs that is to start an archive's system by kexec, in MiB: for the
// archive as file, as what is read of it, and as what the kernel keeps for its successor, and for the rest.
func KexecMemory(m *medium.File) int {
	const rest = 512
	return rest + int(3*m.Size>>20)
}

// reject adds what is said of a start that failed to what is looked for, which may be nil.
func (s *Start) reject(asked *regexp.Regexp) *regexp.Regexp {
	switch {
	case s.before == nil:
		return asked
	case asked == nil:
		return kexecFailed
	}
	return regexp.MustCompile("(?:" + asked.String() + ")|(?:" + kexecFailed.String() + ")")
}
