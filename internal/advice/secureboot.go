package advice

import (
	"github.com/livebuild/livebuild/internal/boot"
	"github.com/livebuild/livebuild/internal/efivar"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/pkg/authenticode"
)

// secureBootHints are advice on signatures for Secure Boot.
var secureBootHints = []Row{
	On[*secureboot.RightsError]("'chmod 600' takes the key from the others; if it was readable for long, make a new one"),
	On[*secureboot.PassphraseError]("type it again, or see what the file of --secure-boot-passphrase-file begins with"),
	On[*secureboot.ProtectedError]("'openssl pkey -in KEY -aes256 -out NEW' writes it as livebuild knows it"),
	On[*secureboot.KeyError]("'openssl req -x509 -newkey rsa:2048 -nodes -keyout db.key -out db.pem -days 3650 -subj /CN=me' makes a key and its certificate"),
	On[*secureboot.ShimError]("name a folder with shimx64.efi and mmx64.efi as a distribution signs them: Debian's packages shim-signed and shim-helpers-amd64-signed have them in /usr/lib/shim"),
	On[*secureboot.DemandError]("take a newer nixpkgs, whose GRUB has mended more, or an older shim; --sbat FILE says it in another way, if this GRUB has more patches than its version tells"),
	On[*secureboot.UnknownVersionError]("--sbat FILE says which holes it no longer has"),
	On[*secureboot.SBATError]("the form is that of SBAT.md of shim: a line \"sbat,1,…\" and one \"grub,GENERATION,…\""),
	On[*secureboot.UntakenError]("'livebuild verify' without --rebuild says more of what is wrong with them"),
	On[*boot.SecureBootError]("set isoImage.makeEfiBootable = true, or do without Secure Boot"),
	On[*boot.UnsignableError]("firmware starts programs of its own format alone: take a kernel with CONFIG_EFI_STUB that is not compressed as a whole, and a GRUB of 2.06 or later"),
	On[*authenticode.FormatError]("a program for UEFI is one in the format PE/COFF"),
	On[*authenticode.SignatureError]("sign it again"),
	On[*efivar.FormatError]("livebuild takes the variables of OVMF with authenticated variables: install the firmware that the distribution packs"),
	On[*efivar.FullError]("fewer certificates with --trust need less room"),
}
