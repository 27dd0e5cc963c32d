package advice

import (
	"github.com/livebuild/livebuild/internal/boottest"
	"github.com/livebuild/livebuild/internal/carrier"
)

// boottestHints are advice on boots that cannot be judged.
var boottestHints = []Row{
	On[*boottest.OtherSystemError]("'livebuild run' without --choose shows the menu, to choose by hand; an image made with --default NAME starts that by itself"),
	On[*boottest.UnheardError]("give the kernel console=ttyS0,115200n8 (console=ttyAMA0,115200n8 on aarch64); --expect takes what the system says itself"),
	On[*carrier.LoaderError]("install GRUB's programs and its modules for that machine (Debian: grub-common and grub-efi-amd64-bin, grub-efi-ia32-bin, grub-efi-arm64-bin or grub-pc-bin; Fedora: grub2-tools and grub2-efi-x64-modules, or grub2-pc-modules; or run 'nix shell nixpkgs#grub2_efi' first)"),
}
