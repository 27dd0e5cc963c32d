# A test of NixOS, as nixpkgs has them in nixos/tests: without a network, a machine makes
# an image of a configuration, which another one boots.
{ lib, pkgs, ... }:
let
  configuration = ./iso.nix;

  # As in the machine, which has to build nothing: all of it is there before.
  live = import (pkgs.path + "/nixos/lib/eval-config.nix") {
    inherit (pkgs.stdenv.hostPlatform) system;
    modules = [
      configuration
      { nixpkgs.pkgs = pkgs; } # read once; what is added to nixpkgs changes none of its packages
    ];
  };
  qemu-common = import (pkgs.path + "/nixos/lib/qemu-common.nix") { inherit lib pkgs; };

  # The driver runs it where test results are collected, in $out.
  start = "${qemu-common.qemuBinary pkgs.qemu_test} -m 2048 -cdrom $out/live.iso";
in
{
  name = "livebuild";

  meta.maintainers = [ ];

  nodes.builder = {
    environment.systemPackages = [ pkgs.livebuild ];
    # What nixpkgs' image is made of is what livebuild's is made of.
    system.extraDependencies = [
      live.config.system.build.toplevel
      live.config.system.build.isoImage.inputDerivation
    ];
    nix.settings = {
      experimental-features = [ ];
      substituters = lib.mkForce [ ];
    };
    virtualisation = {
      cores = 2;
      diskSize = 8192;
      memorySize = 4096;
      writableStore = true;
    };
  };

  testScript = ''
    builder.wait_for_unit("multi-user.target")

    with subtest("it says what the image will be"):
        plan = builder.succeed("livebuild plan ${configuration} -I nixpkgs=${pkgs.path}")
        assert "uefi-usb" in plan, plan

    with subtest("it makes the image"):
        builder.succeed("livebuild iso ${configuration} -I nixpkgs=${pkgs.path} -o live.iso >&2")

    with subtest("the image is whole, and holds the system"):
        builder.succeed("livebuild verify live.iso >&2")
        builder.succeed("livebuild ls live.iso ${live.config.system.build.toplevel}/init")
        builder.succeed("livebuild inspect live.iso >&2")

    with subtest("the same input gives the same bytes"):
        builder.succeed("livebuild iso ${configuration} -I nixpkgs=${pkgs.path} --reuse none -o again.iso >&2")
        builder.succeed("cmp live.iso again.iso")

    with subtest("Linux mounts it"):
        builder.succeed("mount -o loop,ro live.iso /mnt")
        builder.succeed("mkdir /store && mount -o loop,ro /mnt/nix-store.squashfs /store")
        builder.succeed("test -e /store/$(basename ${live.config.system.build.toplevel})/init")

    with subtest("it boots"):
        builder.copy_from_vm("live.iso")
        builder.shutdown()
        live = create_machine("${start}", name="live")
        live.start()
        live.wait_for_unit("multi-user.target")
        live.succeed("test $(hostname) = live")
        live.succeed("findmnt /nix/store")
  '';
}
