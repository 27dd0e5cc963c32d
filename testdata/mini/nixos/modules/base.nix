# What every mini system has: the options that an installed system and a live one need.
{
  lib,
  config,
  options,
  pkgs,
  extendModules,
  ...
}:
let
  # As they are written: merged, they would have lost their priorities.
  children = builtins.zipAttrsWith (_: map (child: child.configuration)) (
    map (d: d.value) options.specialisation.definitionsWithLocations
  );

  option = default: lib.mkOption { inherit default; };
  platform = pkgs.stdenv.hostPlatform;

  # Settings that the booted system does not act on, to be read in its store.
  settings = pkgs.build "mini-settings" { text = builtins.toJSON {
    inherit (config) fileSystems networking swapDevices;
    inherit (config.boot.initrd) luks;
    loaders = builtins.mapAttrs (_: l: l.enable or null) config.boot.loader;
    ssh = config.services.openssh;
    keys = config.users.users.root.openssh.authorizedKeys.keys;
    units = config.systemd.services;
  }; passAsFile = [ "text" ]; } "cp $textPath $out";
in
{
  options = {
    assertions = option [ ];
    warnings = option [ ];

    boot.initrd.availableKernelModules = option [ ];
    boot.initrd.luks.devices = option { };
    boot.initrd.extraUtilsCommands = option "";
    boot.initrd.postDeviceCommands = option "";
    boot.initrd.postMountCommands = option "";
    boot.initrd.supportedFilesystems = option [ ];
    boot.initrd.systemd.enable = option false;
    boot.kernelPackages.kernel = option pkgs.kernel;
    boot.kernelParams = option [ ];
    boot.loader.grub.enable = option true;
    boot.loader.grub.devices = option [ ];
    boot.loader.grub.efiInstallAsRemovable = option false;
    boot.loader.grub.efiSupport = option false;
    boot.loader.grub.memtest86.enable = option false;
    boot.loader.grub.memtest86.params = option [ ];
    boot.loader.systemd-boot.enable = option false;
    boot.loader.timeout = option 5;
    boot.resumeDevice = option "";

    environment.systemPackages = option [ ];
    fileSystems = option { };
    lib = option { };
    networking.hostName = option "nixos";
    networking.interfaces = option { };
    networking.nameservers = option [ ];
    networking.usePredictableInterfaceNames = option true;
    services.openssh.enable = option false;
    services.openssh.settings = option { };
    swapDevices = option [ ];
    systemd.services = option { };
    users.users.root.initialPassword = option null;
    users.users.root.openssh.authorizedKeys.keys = option [ ];

    system.stateVersion = option "26.05";
    system.boot.loader.initrdFile = option "initrd";
    system.boot.loader.kernelFile = option platform.linux-kernel.target;
    system.build.initialRamdisk = option (
      pkgs.initrdWith {
        inherit (config.boot.initrd) postDeviceCommands postMountCommands;
        storeFile =
          if config.fileSystems ? "/iso" && config.fileSystems."/iso".fsType or "" == "iso9660" then
            ""
          else
            config.fileSystems."/nix/.ro-store".device or "";
        # In nixpkgs, e2fsck comes with the file system.
        extraUtilsCommands =
          (
            if builtins.elem "ext4" config.boot.initrd.supportedFilesystems then
              "copy_bin_and_libs ${pkgs.e2fsprogs}/sbin/e2fsck\n"
            else
              ""
          )
          + config.boot.initrd.extraUtilsCommands;
      }
    );
    system.build.toplevel = option (
      import ../../toplevel.nix {
        inherit pkgs config;
        roots = config.environment.systemPackages ++ [ settings ];
      }
    );
    system.nixos.distroId = option "mini";
    system.nixos.distroName = option "Mini";
    system.nixos.label = option "26.05.mini";
    system.nixos.release = option "26.05";
    system.nixos.variant_id = option null;

    specialisation = lib.mkOption {
      default = { };
      apply = builtins.mapAttrs (
        name: _: {
          configuration =
            (extendModules {
              modules = [ { specialisation = lib.mkOverride 0 { }; } ] ++ children.${name};
            }).config;
        }
      );
    };
  };

  config = {
    boot.kernelParams = [ "loglevel=4" ];
    assertions = [
      {
        assertion = config.fileSystems ? "/";
        message = "The `fileSystems' option does not specify your root file system.";
      }
    ];
  };
}
