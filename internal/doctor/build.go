package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/qemu"
)

// checkEvaluation evaluates the configuration, and looks whether its image can be packed here.
func (e *examination) checkEvaluation(ctx context.Context) bool {
	b, err := e.Begin(ctx)
	if err != nil {
		e.wrong(ctx, "evaluation", Failed, err, ISO, Run)
		return false
	}
	e.build = b
	if err := b.EvaluateToPack(ctx); err != nil {
		e.wrong(ctx, "evaluation", Failed, err, ISO, Run)
		return false
	}
	system := b.Plan().System()
	arch, _, _ := strings.Cut(system.Platform, "-")
	if arch == "i686" { // runs on the same machine
		arch = string(qemu.X86_64)
	}
	e.machine.Arch, e.machine.Firmware32 = qemu.Arch(arch), system.EFIArch == "ia32"
	e.good(ctx, "evaluation", fmt.Sprintf("%s, for %s, would be %s", system.Name, system.Platform, b.Plan().FileName()), ISO, Run)
	return true
}

// checkBuilds asks what is to be built, who does it, and whether there is room for it.
func (e *examination) checkBuilds(ctx context.Context) {
	asking, cancel := limited(ctx, dryLimit)
	defer cancel()
	missing, err := e.build.Missing(asking)
	if err != nil {
		e.wrong(ctx, "builds", Warning, fmt.Errorf("what is to be built is not known: %w", timed(asking, err, "Nix", dryLimit)), ISO, Run)
		return
	}
	if len(missing.Unknown) > 0 {
		e.wrong(ctx, "builds", Failed, &nix.Error{Kind: nix.KindVanished,
			Message: fmt.Sprintf("%s: neither in the store, nor to be built or downloaded", missing.Unknown[0])}, ISO, Run)
		return
	}
	e.good(ctx, "builds", coverage(missing), ISO, Run)
	if err := e.build.CheckPlatform(ctx); err != nil {
		e.wrong(ctx, "platform", Failed, err, ISO, Run)
	} else if by, err := e.build.Builder(ctx, e.build.Plan().System().BuildPlatform); err == nil {
		e.good(ctx, "platform", e.build.Plan().System().BuildPlatform+" is built by "+builder(by), ISO, Run)
	}
	e.checkRoom(ctx, missing)
}

// coverage says how much of what is missing the caches have.
func coverage(m nix.Missing) string {
	all := len(m.Build) + len(m.Fetch)
	if all == 0 {
		return "everything is in the store"
	}
	p := message.NewPrinter(language.English) // 2,410
	if len(m.Build) == 0 {
		return p.Sprintf("all %d paths that are missing can be downloaded: %s", all, human.Size(m.DownloadSize))
	}
	text := p.Sprintf("%d of %d paths that are missing must be built here", len(m.Build), all)
	if len(m.Fetch) > 0 {
		text += p.Sprintf(", %d can be downloaded: %s", len(m.Fetch), human.Size(m.DownloadSize))
	}
	return text
}

// smallest is which part of a store its image is at least. xz packs systems of NixOS to a quarter.
const smallest = 5

// checkRoom looks whether the store has room for what is missing, and the output for the image.
func (e *examination) checkRoom(ctx context.Context, missing nix.Missing) {
	if store, err := e.nix.Store(ctx); err == nil {
		free, err := freeBytes(store.Folder())
		if need := missing.UnpackedSize; err == nil && need > free {
			e.wrong(ctx, "room", Failed, storeFull(store.Folder(), free, "what is downloaded takes "+human.Size(need)), ISO, Run)
			return
		}
	}
	size, known := missing.UnpackedSize, "at least "
	if len(missing.Build)+len(missing.Fetch) == 0 {
		closure, err := e.build.Closure(ctx)
		if err != nil {
			return // paths went meanwhile
		}
		size, known = closure.NarSize(), ""
	}
	free, err := freeBytes(e.Output)
	if err != nil || size == 0 {
		return
	}
	what := fmt.Sprintf("the store of the image has %s%s before it is compressed", known, human.Size(size))
	switch {
	case free < size/smallest:
		e.wrong(ctx, "room", Failed, &SpaceError{e.Output, free, what}, ISO)
	case free < size:
		e.wrong(ctx, "room", Warning, &SpaceError{e.Output, free, what}, ISO)
	default:
		e.good(ctx, "room", fmt.Sprintf("%s has %s free; %s", e.Output, human.Size(free), what), ISO)
	}
}

// freeBytes is how much this user can write to the file system of a folder.
func freeBytes(folder string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: folder, Err: err}
	}
	if st.Files > 0 && st.Ffree == 0 { // no file more
		return 0, nil
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	if free < 0 {
		return 0, errors.New("not known")
	}
	return free, nil
}
