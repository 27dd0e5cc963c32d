# Configurations of real NixOS, and what its own ISO module makes of them.
{ nixpkgs }:
let
  system =
    platform: modules:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = platform;
      modules = [ common ] ++ modules;
    };

  common = {
    # Keeps Haskell out, which trees without its package list cannot evaluate.
    nixpkgs.overlays = [ (final: prev: { shellcheck-minimal.compiler.meta.platforms = [ ]; }) ];
  };

  module = name: nixpkgs + "/nixos/modules/installer/cd-dvd/${name}.nix";

  installer = name: {
    imports = [ (module name) ];
    # Else nixpkgs is copied into the store at each evaluation.
    system.installer.channel.enable = false;
  };
in
rec {
  configurations = {
    minimal = system "x86_64-linux" [ (installer "installation-cd-minimal") ];

    aarch64 = system "aarch64-linux" [ (installer "installation-cd-minimal") ];

    plasma = system "x86_64-linux" [ (installer "installation-cd-graphical-calamares-plasma6") ];

    "special.one" = system "x86_64-linux" [
      (installer "installation-cd-minimal")
      (
        { pkgs, ... }:
        {
          isoImage.volumeID = "SPECIAL_1";
          isoImage.appendToMenuLabel = " Live";
          isoImage.contents = [
            {
              source = pkgs.hello;
              target = "/hello";
            }
          ];
          boot.kernelParams = [ "dyndbg=\"file drivers/usb/* +p\"" ];
          specialisation.quiet.configuration = {
            boot.kernelParams = [ "quiet" ];
          };
        }
      )
    ];

    bios = system "x86_64-linux" [
      (module "iso-image")
      {
        isoImage.makeUsbBootable = true;
        boot.loader.timeout = nixpkgsLib.mkForce null;
      }
    ];
  };

  nixpkgsLib = import (nixpkgs + "/lib");

  # The module's own texts: of isolinux.cfg as it is, of grub.cfg within the
  # script that makes /EFI.
  oracle =
    name:
    let
      cfg = configurations.${name}.config;
      sources = builtins.listToAttrs (
        map (x: {
          name = x.target;
          value = x.source;
        }) cfg.isoImage.contents
      );
      isolinux = sources."/isolinux/isolinux.cfg" or null;
      efi = sources."/EFI" or null;
      plain = builtins.unsafeDiscardStringContext;
    in
    {
      isolinux = if isolinux == null then "" else plain isolinux.src.text;
      # The derivation is read, not built.
      efi = if efi == null then "" else builtins.head (builtins.attrNames (builtins.getContext efi));
      kernel = plain "${sources."/boot/${cfg.system.boot.loader.kernelFile}"}";
      initrd = plain "${sources."/boot/${cfg.system.boot.loader.initrdFile}"}";
      targets = builtins.attrNames sources;
      roots = map (x: plain "${x}") cfg.isoImage.storeContents;
      volumeID = cfg.isoImage.volumeID;
    };
}
