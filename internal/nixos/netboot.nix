# A module that has a system start from what a boot loader or kexec brought into memory:
# nixpkgs' netboot module, of the configuration's own nixpkgs. Its stage 1 finds the squashfs
# of the store in the initrd, instead of on a medium.
{
  # Whether the configuration is that of an installed system; else it is one of an ISO
  # image, or has the netboot module already.
  installed,
  # Whether the system says that it installs others, unless it says what else it is. By that
  # word nixos-anywhere knows the system that it has started (src/get-facts.sh, VARIANT_ID).
  installer ? false,
}:
args@{
  lib,
  config,
  options,
  pkgs,
  modulesPath,
  ...
}:
let
  module = modulesPath + "/installer/netboot/netboot.nix";

  # A little above what nixpkgs' modules for images say, the ISO module too.
  override = lib.mkOverride 55;
  content = value: if (value._type or "") == "override" then value.content else value;

  # As the module says: here they take the place of all others.
  fileSystems = builtins.mapAttrs (_: fs: override (content fs)) (import module args).config.fileSystems;

  # What an image of the same configuration is compressed by: only what is compressed
  # alike is taken from one into the other.
  isoModule = import (modulesPath + "/installer/cd-dvd/iso-image.nix") args;
  compression =
    if options ? isoImage.squashfsCompression then
      config.isoImage.squashfsCompression
    else
      isoModule.options.isoImage.squashfsCompression.default;
in
{
  _file = "livebuild's netboot module";

  imports = [ module ];

  config = {
    netboot.squashfsCompression = lib.mkOverride 1400 (if compression == null then "none" else compression);

    fileSystems =
      if installed then
        override fileSystems
      else if options ? isoImage then
        # There is no medium, and nothing waits for one.
        fileSystems // { "/iso" = override { device = "tmpfs"; fsType = "tmpfs"; options = [ "mode=0755" ]; }; }
      else
        { };

    boot.loader.timeout = override 10;

    # Below the lib.mkDefault of nixpkgs' installers.
    system.nixos =
      if installer && options ? system.nixos.variant_id then
        { variant_id = lib.mkOverride 1400 "installer"; }
      else
        { };
  };
}
