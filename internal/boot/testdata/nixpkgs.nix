# Configurations of real NixOS, and what its own ISO module makes of them.
{
  nixpkgs,
  # The module that makes a configuration live.
  liveModule,
}:
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

    # Every option that nixpkgs has for it.
    options = system "x86_64-linux" [
      (installer "installation-cd-minimal")
      (
        { lib, pkgs, ... }:
        {
          isoImage = {
            edition = lib.mkForce "rescue";
            isoBaseName = "mine";
            prependToMenuLabel = "My ";
            appendToMenuLabel = " Rescue";
            forceTextMode = true;
            syslinuxTheme = "MENU TITLE Mine";
            squashfsCompression = "gzip -Xcompression-level 1";
            includeSystemBuildDependencies = true;
            storeContents = [ pkgs.hello ];
            splashImage = ./nixpkgs.nix;
            contents = [
              {
                source = pkgs.hello + "/share";
                target = "/EFI";
              }
              {
                source = pkgs.hello;
                target = "isolinux/";
              }
              {
                source = ./nixpkgs.nix;
                target = "/boot/grub/mine.cfg";
              }
            ];
          };
          boot.loader.timeout = lib.mkForce 0;
          boot.loader.grub.memtest86.params = [ "console=ttyS0,115200" ];
          system.nixos.distroName = "MineOS";
          system.nixos.label = "1.2.3";
        }
      )
    ];

    # 32-bit firmware on a 64-bit processor.
    efi32 = system "x86_64-linux" [
      (installer "installation-cd-minimal")
      { boot.loader.grub.forcei686 = true; }
    ];

    # An installed system, with much that a medium cannot have.
    host = system "x86_64-linux" [
      {
        networking.hostName = "farmer";
        boot.initrd.luks.devices.root.device = "/dev/disk/by-label/encrypted";
        boot.initrd.systemd.enable = true;
        boot.loader.efi.canTouchEfiVariables = true;
        boot.loader.systemd-boot.enable = true;
        boot.loader.timeout = 3;
        boot.resumeDevice = "/dev/disk/by-label/swap";
        fileSystems."/" = {
          device = "/dev/mapper/root";
          fsType = "btrfs";
        };
        fileSystems."/boot".device = "/dev/disk/by-label/boot";
        services.btrfs.autoScrub.enable = true;
        services.openssh.enable = true;
        services.openssh.settings.PermitRootLogin = "no";
        swapDevices = [ { device = "/dev/disk/by-label/swap"; } ];
        specialisation.quiet.configuration.boot.kernelParams = [ "quiet" ];
        system.stateVersion = "24.05";
      }
    ];

    # Systemd in stage 1, and where newer releases have the medium then.
    systemd = system "x86_64-linux" [
      (installer "installation-cd-minimal")
      (
        { config, ... }:
        {
          boot.initrd.systemd.enable = true;
          # With the priorities of the installer and of the ISO module.
          fileSystems = nixpkgsLib.mkOverride 60 {
            "/iso" = nixpkgsLib.mkOverride 60 {
              device = nixpkgsLib.mkForce "/dev/disk/by-label/${config.isoImage.volumeID}";
            };
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
      given = configurations.${name};
      final = if given.options ? isoImage then given else given.extendModules { modules = [ liveModule ]; };
      cfg = final.config;
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
      targets = map (x: x.target) cfg.isoImage.contents;
      # What keeps the system from starting if it is not what the medium has.
      waits = {
        fileSystems = builtins.attrNames cfg.fileSystems;
        devices =
          map (d: d.device) cfg.swapDevices
          ++ builtins.attrNames cfg.boot.initrd.luks.devices
          ++ builtins.filter (d: d != "") [ cfg.boot.resumeDevice ];
        loaders = builtins.filter (n: cfg.boot.loader.${n}.enable or false) [
          "external"
          "generic-extlinux-compatible"
          "grub"
          "initScript"
          "systemd-boot"
        ];
        systemdInitrd = cfg.boot.initrd.systemd.enable;
      };
      roots = map (x: plain "${x}") cfg.isoImage.storeContents;
      volumeID = cfg.isoImage.volumeID;
    };
}
