# The derivation of GRUB's program for EFI, which is a file.
#
# Nix runs grub-mkimage, in its sandbox, as it does all that a configuration brings: a
# package can be replaced by anything, and what it reads ends up on the medium. The
# program makes images for every platform that it is given the modules of, so it is
# that of the machine at work, whatever the image is for; it has to be of the same
# version as the modules.
{
  # Package with bin/grub-mkimage, and the platform that runs it.
  builder,
  system,
  # Package with lib/grub/<target>.
  package,
  target,
  # Whether the menu has device trees.
  deviceTrees,
  # Whether it has an entry that checks the medium.
  mediaCheck,
  # What it is for Secure Boot, as secureboot.nix says; null without.
  secured,
}:
let
  # All that the loader can do: the medium has no further modules.
  modules = [
    "fat" "iso9660" "part_gpt" "part_msdos"
    "normal" "boot" "linux" "configfile" "loopback" "chain" "halt"
    "efifwsetup" "efi_gop"
    "ls" "search" "search_label" "search_fs_uuid" "search_fs_file" "echo"
    "serial"
    "gfxmenu" "gfxterm" "gfxterm_background" "gfxterm_menu" "test" "loadenv" "all_video" "videoinfo"
    "png"
  ]
  # Has the command devicetree.
  ++ (if deviceTrees then [ "fdt" ] else [ ])
  ++ (if mediaCheck && secured == null then [ "hashsum" "gcry_sha512" "progress" "read" ] else [ ])
  ++ (if secured == null then [ ] else secured.modules)
  # Graphics of old firmware, which GRUB has for x86 alone.
  ++ (if builtins.match "(x86_64|i386)-efi" target != null then [ "efi_uga" ] else [ ]);
in
derivation {
  name = "grub-${target}.efi";
  inherit system;
  builder = "${builder}/bin/grub-mkimage";
  args = [
    "--directory=${package}/lib/grub/${target}"
    "--prefix=/EFI/BOOT"
    "--format=${target}"
    "--output=${builtins.placeholder "out"}"
  ]
  ++ (if secured == null then [ ] else secured.arguments)
  ++ modules;
}
