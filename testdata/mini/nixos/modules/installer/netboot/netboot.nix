# The netboot module: what nixpkgs' file of this name says of a system that starts from memory,
# without making its initrd.
{
  lib,
  config,
  pkgs,
  ...
}:
let
  option = default: lib.mkOption { inherit default; };
  platform = pkgs.stdenv.hostPlatform;
in
{
  options = {
    netboot.squashfsCompression = option "xz -Xdict-size 100%";
    netboot.storeContents = option [ ];
  };

  config = {
    boot.loader.grub.enable = false;

    fileSystems."/" = lib.mkImageMediaOverride {
      fsType = "tmpfs";
      options = [ "mode=0755" ];
    };
    fileSystems."/nix/.ro-store" = lib.mkImageMediaOverride {
      fsType = "squashfs";
      device = "../nix-store.squashfs";
      options = [ "loop" ];
      neededForBoot = true;
    };
    fileSystems."/nix/.rw-store" = lib.mkImageMediaOverride {
      fsType = "tmpfs";
      options = [ "mode=0755" ];
      neededForBoot = true;
    };

    netboot.storeContents = [ config.system.build.toplevel ];
    boot.loader.timeout = 10;
    boot.kernelParams = [ (if platform.isx86 then "console=ttyS0,115200n8" else "console=ttyAMA0") ];
  };
}
