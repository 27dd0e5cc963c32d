# The module for machines that make images.
self:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.programs.livebuild;
in
{
  options.programs.livebuild = {
    enable = lib.mkEnableOption "livebuild, which makes, tries and writes live images";

    package = lib.mkOption {
      type = lib.types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
      defaultText = lib.literalMD "the package of livebuild's flake";
      description = "The package to use.";
    };

    emulatedSystems = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "aarch64-linux" ];
      description = ''
        Platforms of other machines that images are made for: what Nix builds for them
        is emulated.
      '';
    };

    virtualMachines = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = ''
        Whether to install QEMU, so that `livebuild run` and `livebuild test` start
        any image at once, those in files, too.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ] ++ lib.optional cfg.virtualMachines pkgs.qemu;
    boot.binfmt.emulatedSystems = cfg.emulatedSystems;
  };
}
