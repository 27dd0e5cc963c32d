package medium

// StampArea is the file of a medium that is loaded as the last initrd of every entry of the
// menus: zeros, or what was stamped onto the image after it was built.
const StampArea = "boot/livebuild/stamp.img"

// Certificate is that of the key that signs the programs of a medium for Secure Boot, in DER (X.509):
// what firmware, or MokManager, is to be shown. The volume and the EFI system partition have it.
const Certificate = "secure-boot.cer"

// SignatureSuffix is behind the name of a file in the name of its signature, where the boot loader
// verifies what it reads: GRUB has it so (grub_pubkey_open in grub-core/commands/pgp.c).
const SignatureSuffix = ".sig"
