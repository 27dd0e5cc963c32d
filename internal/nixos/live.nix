# A module that makes an ordinary configuration a live one: nixpkgs' ISO module, of
# the configuration's own nixpkgs, and the settings with which it starts from a medium.
# What belongs to an installed system, portable.nix takes away.
#
# It overrides with the priority of nixpkgs' installers, so that lib.mkForce still
# has the last word.
{
  lib,
  config,
  options,
  pkgs,
  modulesPath,
  ...
}:
let
  isoModule = modulesPath + "/installer/cd-dvd/iso-image.nix";

  # lib.mkImageMediaOverride
  override = lib.mkOverride 60;

  # Up to 25.05 the ISO module names the medium as the scripted stage 1 finds it.
  knowsSystemd = lib.hasInfix "boot.initrd.systemd.enable" (builtins.readFile isoModule);

  host = config.networking.hostName;
  platform = pkgs.stdenv.hostPlatform;

  # Part of the volume ID, by which stage 1 finds the medium: two media of two
  # hosts in one machine must differ. It may be too long for that (ECMA-119 §8.4.7).
  edition =
    let
      id = "nixos-${host}-${config.system.nixos.release}-${platform.uname.processor}";
    in
    if host == "nixos" || builtins.stringLength id > 32 then "" else host;

  # What only some configurations have.
  when = condition: settings: if condition then settings else { };
in
{
  _file = "livebuild's live module";

  imports = [ isoModule ];

  config = lib.mkMerge [
    {
      isoImage.makeEfiBootable = lib.mkDefault true;
      isoImage.makeUsbBootable = lib.mkDefault true;
      isoImage.edition = lib.mkDefault edition;
      isoImage.appendToMenuLabel = lib.mkDefault " Live";

      # The module adds its file systems to the host's, which the medium does not
      # have: stage 1 would wait for them.
      fileSystems = override config.lib.isoFileSystems;
    }
    (when (options ? boot.initrd.systemd.enable && !knowsSystemd) {
      boot.initrd.systemd.enable = override false;
    })
    # Since 25.05 the ISO module makes such a name itself.
    (when (!(options ? image.baseName)) {
      isoImage.isoName = lib.mkDefault "nixos-${host}-${config.system.nixos.label}-${platform.system}.iso";
    })
  ];
}
