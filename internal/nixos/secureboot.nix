# What grub-mkimage makes a GRUB of that verifies whatever it reads.
#
# Neither the key that it believes nor what it claims to have mended is known here: both
# have a place in the program, filled with a line of text over and over, which Go (package
# secureboot) finds and replaces before it signs the program. So a key that is made for one
# image alone makes no derivation of its own, and only public things get into the store.
{
  # Whether a shim starts it, which then verifies kernels, too.
  shim,
  # Whether menu entries can be edited, and commands typed.
  edit,
}:
let
  place = name: line: builtins.toFile name (builtins.concatStringsSep "" (builtins.genList (_: line) 64));

  # What comes first. With a superuser who has no password, entries can be started and
  # neither edited nor left for the command line. If there is no menu, or not the one that
  # was signed, GRUB would offer its command line all the same, where checking can be
  # turned off.
  closed = builtins.toFile "grub-closed.cfg" ''
    set superusers=livebuild
    export superusers
    configfile $prefix/grub.cfg
    echo "The boot menu of this medium is missing, or was changed after it was signed."
    echo "The computer restarts in 30 seconds."
    sleep 30
    reboot
  '';
in
{
  modules = [
    "pgp"
    "gcry_rsa"
    "gcry_sha256"
    "gcry_sha512"
  ]
  ++ (if edit then [ ] else [ "sleep" "reboot" ]);

  arguments = [
    "--pubkey=${place "grub-key" "livebuild: here is the OpenPGP key that this GRUB believes.    \n"}"
  ]
  ++ (
    if shim then
      [ "--sbat=${place "grub-sbat" "livebuild: here is what this GRUB says of itself to shim (SBAT).\n"}" ]
    else
      # Otherwise it asks for a shim before it starts a kernel.
      [ "--disable-shim-lock" ]
  )
  ++ (if edit then [ ] else [ "--config=${closed}" ]);
}
