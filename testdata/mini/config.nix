# nixosSystem: the value of one nixosConfigurations.<name>, in the shape NixOS gives it.
#
# Only what describes a live image is there. Values are those of NixOS 26.05 unless
# `release` says "24.05"; the differences between the two are marked below.
{
  system ? "x86_64-linux",
  buildSystem ? system,
  release ? "26.05",
  # Whether the configuration imports the ISO image module.
  live ? true,
  # Whether hardware.deviceTree is set by hand, instead of by default.
  deviceTreesWanted ? false,
  # pkgs: [ store paths ] that the closure is to hold.
  packages ? (p: [ ]),
  # pkgs: entries for isoImage.contents.
  contents ? (p: [ ]),
  # Attributes of config that replace those below.
  settings ? { },
  # name: settings of a specialisation.
  specialisation ? { },
}:
let
  pkgs = import ./pkgs.nix { inherit system buildSystem; };
  platform = pkgs.stdenv.hostPlatform;
  new = release != "24.05";

  isSet = v: builtins.isAttrs v && v.type or null != "derivation";
  update =
    a: b:
    a // builtins.mapAttrs (n: v: if isSet v && isSet (a.${n} or null) then update a.${n} v else v) b;

  # make CHILDREN SETTINGS: the configuration with its parts referring to the final values.
  make =
    children: chosen:
    let
      config = update (base config children) chosen;
    in
    config;

  base =
    config: children:
    {
      assertions = [ ];
      warnings = [ ];

      networking.hostName = "mini";
      hardware.deviceTree = {
        enable = platform.isAarch64;
        name = null;
        package = if platform.isAarch64 then pkgs.deviceTrees else null;
      };
      nixpkgs.hostPlatform = platform;

      boot = {
        kernelPackages.kernel = pkgs.kernel;
        # The last console is the one that the system writes to.
        kernelParams = [
          "boot.shell_on_fail"
        ]
        ++ (if live then [ "root=LABEL=${config.isoImage.volumeID}" ] else [ ])
        ++ [
          "loglevel=4"
          (if platform.isx86 then "console=ttyS0,115200n8" else "console=ttyAMA0")
        ];
        initrd.systemd.enable = false;
        loader = {
          timeout = 1;
          grub = {
            forcei686 = false;
            extraFiles = { };
            memtest86 = {
              enable = false;
              params = [ ];
            };
          };
        };
      };

      system = {
        stateVersion = release;
        nixos = {
          inherit release;
          label = "${release}.19800101.mini";
          version = "${release}.19800101.mini";
          distroName = "Mini";
          distroId = "mini";
          codeName = "Mini";
          tags = [ ];
        };
        boot.loader = {
          kernelFile = platform.linux-kernel.target;
          initrdFile = "initrd";
        };
        build = {
          kernel = pkgs.kernel;
          initialRamdisk = pkgs.initrd;
          toplevel = import ./toplevel.nix {
            inherit pkgs config;
            roots = packages pkgs;
          };
        };
      };

      specialisation = builtins.mapAttrs (name: own: {
        configuration = make { } (
          update settings (
            update own {
              boot.kernelParams = config.boot.kernelParams ++ (own.boot.kernelParams or [ ]);
              isoImage.configurationName = name;
            }
          )
        );
      }) children;
    }
    // (if live then liveConfig config else { });

  # What the ISO image module adds.
  liveConfig =
    config:
    {
      isoImage =
        {
          compressImage = false;
          squashfsCompression = "zstd -Xcompression-level 3";
          edition = "";
          volumeID = "MINI_LIVE";
          contents = contents pkgs;
          storeContents = [ config.system.build.toplevel ];
          includeSystemBuildDependencies = false;
          makeBiosBootable = platform.isx86;
          makeEfiBootable = true;
          makeUsbBootable = true;
          efiSplashImage = pkgs.splash;
          splashImage = pkgs.splash;
          grubTheme = if new then null else pkgs.grubTheme;
          syslinuxTheme = ''
            MENU TITLE ${config.system.nixos.distroName}
            MENU RESOLUTION 800 600
            MENU CLEAR
            MENU ROWS 6
            MENU CMDLINEROW -4
            MENU TIMEOUTROW -3
          '';
          prependToMenuLabel = "";
          appendToMenuLabel = " Live";
          forceTextMode = false;
        }
        // (
          if new then
            {
              configurationName = null;
              showConfiguration = true;
              isoName = config.image.fileName;
              isoBaseName = config.image.baseName;
            }
          else
            {
              isoName = "${config.isoImage.isoBaseName}.iso";
              isoBaseName = config.system.nixos.distroId;
            }
        );

      lib.isoFileSystems."/iso" = {
        device = "/dev/root";
        fsType = if new then "iso9660" else "auto";
        neededForBoot = true;
      };
    }
    // (
      if new then
        {
          image = {
            baseName = "mini-${config.system.nixos.label}-${platform.system}";
            extension = "iso";
            fileName = "${config.image.baseName}.${config.image.extension}";
            filePath = "iso/${config.image.fileName}";
          };
        }
      else
        { }
    );

  config = make specialisation settings;
in
{
  inherit config pkgs;
  options =
    (if live then { isoImage = builtins.mapAttrs (_: _: { }) config.isoImage; } else { })
    // {
      hardware.deviceTree.enable.highestPrio = if deviceTreesWanted then 100 else 1500;
    };
}
