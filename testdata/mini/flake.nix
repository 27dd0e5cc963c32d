{
  description = "NixOS-shaped configurations made of Debian's kernel and busybox";

  # No inputs: no lock file, no registry, no network.
  outputs =
    { self }:
    let
      nixosSystem = import ./config.nix;

      # The same made of modules, which can be extended.
      fromModules =
        modules:
        import ./nixos/lib/eval-config.nix {
          system = "x86_64-linux";
          inherit modules;
        };

      # What the closure of an ordinary mini system holds, and heavier things on demand.
      odd = p: import ./packages.nix p;
      sparse = p: odd p ++ import ./packages-sparse.nix p;
      big = p: odd p ++ import ./packages-big.nix p;
    in
    {
      nixosConfigurations = {
        mini = nixosSystem { packages = odd; };

        mini-arm = nixosSystem {
          system = "aarch64-linux";
          packages = odd;
        };

        # Cross-compiled: nothing of it runs on another platform than its builders'.
        mini-cross = nixosSystem {
          system = "aarch64-linux";
          buildSystem = "x86_64-linux";
          packages = odd;
        };

        # Boards: one with its device tree, one that has to be chosen at boot.
        mini-board = nixosSystem {
          system = "aarch64-linux";
          packages = odd;
          settings.hardware.deviceTree.name = "qemu/virt.dtb";
        };
        mini-boards = nixosSystem {
          system = "aarch64-linux";
          packages = odd;
          deviceTreesWanted = true;
          specialisation.board.hardware.deviceTree.name = "rockchip/rk3399-rockpro64.dtb";
        };
        no-dtb = nixosSystem {
          system = "aarch64-linux";
          settings.hardware.deviceTree.name = "absent.dtb";
        };

        # For 32-bit firmware.
        mini-ia32 = nixosSystem {
          packages = odd;
          settings.boot.loader.grub.forcei686 = true;
        };

        # For a platform that nobody builds for.
        mini-nobody = nixosSystem { buildSystem = "m88k-linux"; };

        # Attribute names and file names as NixOS 24.05 has them, and a GRUB theme.
        mini-2405 = nixosSystem {
          release = "24.05";
          packages = odd;
        };

        # A second menu entry with its own kernel parameters.
        mini-special = nixosSystem {
          packages = odd;
          specialisation.verbose = {
            boot.kernelParams = [ "loglevel=7" ];
          };
        };

        # User entries of isoImage.contents: building toplevel does not build them.
        mini-contents = nixosSystem {
          packages = odd;
          contents = p: [
            {
              source = p.build "mini-handbook" { } ''
                mkdir -p $out/chapters
                echo "one" > $out/chapters/1.txt
                ln -s chapters/1.txt $out/first
              '';
              target = "/handbook";
            }
            {
              source = "${p.build "mini-readme" { } "mkdir $out; echo read me > $out/README"}/README";
              target = "/README.txt";
            }
          ];
        };

        # Files of more than 4 GiB that are nearly all hole: half a minute to build.
        mini-sparse = nixosSystem { packages = sparse; };

        # More than 4 GiB of data, uncompressed: for a store image of several extents.
        # Needs 15 GB of disk for the store and the image together.
        mini-big = nixosSystem {
          packages = big;
          settings.isoImage.squashfsCompression = null;
        };

        # A name with a dot and a hyphen; a warning of the configuration.
        "my.host-1" = nixosSystem {
          settings = {
            networking.hostName = "my";
            warnings = [ "the option `services.old' has been renamed" ];
          };
        };

        # What goes wrong, one thing each.
        broken-eval = nixosSystem {
          settings.system.build.toplevel = throw "the option `services.absent' does not exist";
        };

        broken-build = nixosSystem {
          packages = p: [
            (p.build "mini-broken" { } ''
              i=1
              while [ $i -le 30 ]; do echo "compiling part $i of 30"; i=$((i + 1)); done
              echo "part 30: out of luck" >&2
              exit 7
            '')
          ];
        };

        failing-assertion = nixosSystem {
          settings.assertions = [
            {
              assertion = true;
              message = "this one holds";
            }
            {
              assertion = false;
              message = "The `fileSystems' option does not specify your root file system.";
            }
          ];
        };

        long-label = nixosSystem { settings.isoImage.volumeID = "a-volume-label-of-forty-characters-in-it"; };

        bad-label = nixosSystem { settings.isoImage.volumeID = "MINI LIVE"; };

        missing-kernel = nixosSystem { settings.system.boot.loader.kernelFile = "absent"; };

        # A NixOS configuration that is no live system.
        no-iso = nixosSystem { live = false; };

        # A configuration made of modules, of an installed system.
        mini-host = fromModules [ ./host.nix ];

        # A system to be installed, and a medium that can do so.
        mini-target = fromModules [ ./target.nix ];
        mini-live = fromModules [ ./live.nix ];

        # A value that is no NixOS configuration.
        not-nixos = { };
      };
    };
}
