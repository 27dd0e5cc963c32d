# The ISO image module: what nixpkgs' file of this name says of an image, without making it.
{
  lib,
  config,
  pkgs,
  ...
}:
let
  option = default: lib.mkOption { inherit default; };
  platform = pkgs.stdenv.hostPlatform;
  image = config.isoImage;
  edition = if image.edition == "" then "" else "-${image.edition}";
  own = name: pkgs.build "mini-module-${name}" { } "echo never built > $out";
in
{
  options = {
    image.baseName = option "mini${edition}-${config.system.nixos.label}-${platform.system}";
    image.extension = option (if image.compressImage then "iso.zst" else "iso");
    isoImage = {
      appendToMenuLabel = option " Installer";
      compressImage = option false;
      configurationName = option null;
      contents = option [ ];
      edition = option "";
      efiSplashImage = option pkgs.splash;
      forceTextMode = option false;
      grubTheme = option null;
      includeSystemBuildDependencies = option false;
      makeBiosBootable = option platform.isx86;
      makeEfiBootable = option false;
      makeUsbBootable = option false;
      prependToMenuLabel = option "";
      showConfiguration = option true;
      splashImage = option pkgs.splash;
      squashfsCompression = option "zstd -Xcompression-level 3";
      storeContents = option [ ];
      syslinuxTheme = option "MENU TITLE Mini\n";
      volumeID = option "nixos${edition}-${config.system.nixos.release}-${platform.uname.processor}";
    };
  };

  config = {
    lib.isoFileSystems = {
      "/" = lib.mkImageMediaOverride { fsType = "tmpfs"; };
      # It knows boot.initrd.systemd.enable as little as the first stage here does.
      "/iso" = lib.mkImageMediaOverride {
        device = "/dev/root";
        fsType = "iso9660";
      };
    };
    fileSystems = config.lib.isoFileSystems;

    boot.loader.grub.enable = lib.mkImageMediaOverride false;
    boot.loader.timeout = 10;
    boot.kernelParams = [
      "boot.shell_on_fail"
      "root=LABEL=${image.volumeID}"
      (if platform.isx86 then "console=ttyS0,115200n8" else "console=ttyAMA0")
    ];

    isoImage.storeContents =
      [ config.system.build.toplevel ]
      ++ lib.optional image.includeSystemBuildDependencies config.system.build.toplevel.drvPath;

    # livebuild makes all of these itself.
    isoImage.contents =
      [
        {
          source = own "version";
          target = "/version.txt";
        }
      ]
      ++ (
        if image.makeBiosBootable then
          [
            {
              source = own "isolinux.cfg";
              target = "/isolinux/isolinux.cfg";
            }
            {
              source = own "isolinux";
              target = "/isolinux";
            }
          ]
        else
          [ ]
      )
      ++ (
        if image.makeEfiBootable then
          [
            {
              source = own "efi.img";
              target = "/boot/efi.img";
            }
            {
              source = own "efi-directory";
              target = "/EFI";
            }
            {
              source = own "loopback";
              target = "/boot/grub";
            }
          ]
        else
          [ ]
      );
  };
}
