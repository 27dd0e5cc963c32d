# Values of the shape of NixOS configurations, made without nixpkgs. Nothing of
# it is ever built.
{
  outputs =
    { self }:
    let
      derivationNamed =
        name: outputs:
        derivation {
          inherit name outputs;
          system = "x86_64-linux";
          builder = "/bin/sh";
        };
      package = name: derivationNamed name [ "out" ];

      merge =
        a: b:
        a
        // builtins.mapAttrs (
          n: v:
          if builtins.isAttrs v && builtins.isAttrs (a.${n} or null) && !(v ? outPath) then merge a.${n} v else v
        ) b;

      # The least that an image can be made of.
      minimal = {
        config = {
          boot.kernelPackages.kernel = package "linux";
          boot.kernelParams = [ "root=LABEL=live" ];
          boot.loader.timeout = 10;
          system.boot.loader.kernelFile = "bzImage";
          system.boot.loader.initrdFile = "initrd";
          system.build.initialRamdisk = package "initrd";
          system.build.toplevel = package "toplevel";
          system.nixos.label = "24.05";
          isoImage.volumeID = "live";
        };
        pkgs = {
          stdenv.hostPlatform = {
            system = "x86_64-linux";
          };
          syslinux = package "syslinux";
        };
      };

      with' = changes: merge minimal { config = changes; };

      efi = merge minimal {
        config.isoImage.makeEfiBootable = true;
        pkgs = {
          grub2_efi = package "grub" // {
            grubTarget = "x86_64-efi";
          };
          refind = package "refind";
          memtest86plus = package "memtest86plus" // {
            version = "7.00";
          };
        };
      };

      # Evaluated for its own platform: programs for this machine come from the same nixpkgs.
      native = merge efi {
        config.isoImage.makeBiosBootable = false;
        config.hardware.deviceTree = {
          enable = true;
          name = null;
          package = package "dtbs";
        };
        config.specialisation.board.configuration = merge minimal.config {
          hardware.deviceTree = {
            enable = true;
            name = "vendor/board.dtb";
            package = "${package "dtbs"}";
          };
        };
        pkgs.path = ./nixpkgs;
        pkgs.overlays = [ (final: prev: { suffix = "overlaid"; }) ];
        pkgs.stdenv.hostPlatform = {
          system = "aarch64-linux";
          isx86 = false;
          efiArch = "aa64";
        };
      };

      named =
        own:
        let
          image = {
            baseName = "nixos";
            extension = "iso";
            fileName = "${image.baseName}.${image.extension}";
            filePath = "iso/${image.fileName}";
          }
          // own;
        in
        with' { inherit image; };

      multiple = derivationNamed "multiple" [
        "out"
        "dev"
      ];
    in
    {
      nixosConfigurations = {
        inherit minimal;

        "dots.in.name" = with' { networking.hostName = "dots"; };
        "qu\"ote" = with' { networking.hostName = "quote"; };
        "dollar\${x}" = with' { networking.hostName = "dollar"; };
        "back\\slash" = with' { networking.hostName = "backslash"; };
        "white space\n\t" = with' { networking.hostName = "white"; };

        efi = merge efi {
          config = {
            boot.loader.grub.memtest86 = {
              enable = true;
              params = [ "btrace" ];
            };
            boot.loader.timeout = null;
            isoImage.forceTextMode = true;
            isoImage.grubTheme = package "theme";
            isoImage.efiSplashImage = package "splash";
          };
        };

        forcei686 = merge efi {
          config.boot.loader.grub.forcei686 = true;
          pkgs.pkgsi686Linux.grub2_efi = package "grub-ia32" // {
            grubTarget = "i386-efi";
          };
        };

        aarch64 = merge efi {
          config.isoImage.makeBiosBootable = false;
          config.boot.loader.grub.memtest86.enable = true;
          pkgs.stdenv.hostPlatform = {
            system = "aarch64-linux";
            isx86 = false;
            efiArch = "aa64";
          };
          pkgs.stdenv.buildPlatform.system = "x86_64-linux";
          pkgs.buildPackages.grub2_efi = package "grub-for-build";
        };

        aarch64-native = native;

        arm-target = merge efi { pkgs.grub2_efi.grubTarget = "arm64-efi"; };

        # Since 25.05 the file has its name from these.
        base-name = named { baseName = "based"; };
        file-name = named { fileName = "chosen.iso"; };
        file-name-zst = named { extension = "iso.zst"; fileName = "chosen.iso.zst"; };
        file-path = named { filePath = "images/elsewhere.iso"; };

        # A choice of device trees.
        device-trees = merge native {
          options = {
            isoImage = { };
            hardware.deviceTree.filter.highestPrio = 100;
          };
        };

        newest = with' {
          image.baseName = "nixos-minimal-26.05-x86_64-linux";
          image.extension = "iso.zst";
          isoImage.compressImage = true;
          isoImage.squashfsCompression = null;
          isoImage.showConfiguration = false;
          isoImage.contents = [
            {
              source = package "linux-a" + "/bzImage";
              target = "/boot/" + package "linux-a" + "/bzImage";
            }
            {
              source = package "linux" + "/bzImage";
              target = "/boot/bzImage";
            }
          ];
          boot.initrd.systemd.enable = true;
          fileSystems."/iso".device = "/dev/disk/by-label/live";
          warnings = [ "old option" ];
          specialisation.b.configuration = merge minimal.config {
            system.build.toplevel = package "toplevel-b";
            isoImage.configurationName = "B";
            specialisation.inner.configuration = merge minimal.config { boot.kernelParams = [ "inner" ]; };
          };
          specialisation.a.configuration = merge minimal.config {
            boot.kernelPackages.kernel = package "linux-a";
          };
          specialisation.plain.configuration.system.build.toplevel = package "plain";
        };

        # Options and contents as they were up to 23.05.
        old = with' {
          system.build.squashfsStore = package "nix-store.squashfs";
          isoImage.isoName = "nixos-22.05.iso";
          isoImage.graphicalGrub = false;
          isoImage.contents = [
            {
              source = package "nix-store.squashfs";
              target = "/nix-store.squashfs";
            }
          ];
        };

        contents = with' {
          isoImage.contents = [
            {
              source = package "linux" + "/bzImage";
              target = "/boot/bzImage";
            }
            {
              source = package "version";
              target = "/version.txt";
            }
            {
              source = multiple.dev;
              target = "/docs//dev";
            }
            {
              source = "${multiple}/file";
              target = "docs/out";
            }
            {
              source = ./flake.nix;
              target = "docs/flake.nix";
            }
          ];
          isoImage.storeContents = [
            minimal.config.system.build.toplevel
            minimal.config.system.build.toplevel.drvPath
            ./.
          ];
        };

        clash = with' {
          isoImage.contents = [
            {
              source = package "version";
              target = "/version.txt";
            }
            {
              source = package "mine";
              target = "version.txt";
            }
          ];
        };

        failing = with' {
          assertions = [
            {
              assertion = true;
              message = "held";
            }
            {
              assertion = false;
              message = "first";
            }
            {
              assertion = false;
              message = "second\nline two";
            }
          ];
        };

        no-iso-module = minimal // {
          config = builtins.removeAttrs minimal.config [ "isoImage" ];
        };
        number = 1;
        modules = {
          modules = [ ];
        };
        home.activationPackage = package "home";
        no-toplevel = minimal // {
          config = minimal.config // {
            system = builtins.removeAttrs minimal.config.system [ "build" ];
          };
        };
        darwin = minimal // {
          class = "darwin";
        };
        old-darwin = minimal // {
          options.launchd = { };
        };
        other-class = minimal // {
          class = "flake";
        };

        long-volume-id = with' { isoImage.volumeID = "abcdefghijklmnopqrstuvwxyz-0123456"; };
        odd-volume-id = with' { isoImage.volumeID = "my label"; };
        two-volume-ids = with' {
          specialisation.other.configuration = merge minimal.config { isoImage.volumeID = "other"; };
        };
        bad-name = with' { isoImage.isoName = "../nixos.iso"; };
        systemd-initrd = with' {
          boot.initrd.systemd.enable = true;
          fileSystems."/iso".device = "/dev/root";
        };
      };
    };
}
