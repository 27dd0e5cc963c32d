# A module that gives the live system livebuild-install, which installs the systems that the
# medium has for it, and a unit that runs it where the kernel's command line or a stamp says
# so.
{ script }:
{
  lib,
  config,
  pkgs,
  ...
}:
let
  # In the order of preference: what a configuration has for itself, then what nixpkgs has.
  nix = config.nix.package.out or config.nix.package or pkgs.nix;
  nixos-install = config.system.build.nixos-install or pkgs.nixos-install-tools;
  nixos-enter = config.system.build.nixos-enter or pkgs.nixos-install-tools;

  install = pkgs.writeShellScriptBin "livebuild-install" ''
    export PATH=${
      lib.makeBinPath [
        nixos-install
        nixos-enter
        nix
        pkgs.jq
        pkgs.util-linux
        pkgs.coreutils
        pkgs.gnugrep
        pkgs.gnused
      ]
    }:$PATH
    ${script}'';
in
{
  _file = "livebuild's installer";

  config = {
    environment.systemPackages = [ install ];

    systemd.services.livebuild-install = {
      description = "Installation That the Boot Menu or a Stamp Asks For";
      wantedBy = [ "multi-user.target" ];
      # It has the console to itself: nobody logs in before it ends.
      before = [
        "getty@tty1.service"
        "autovt@tty1.service"
        "serial-getty@ttyS0.service"
        "serial-getty@ttyAMA0.service"
        "display-manager.service"
      ];
      after = [
        "local-fs.target"
        "livebuild-stamp.service"
      ];
      unitConfig.ConditionKernelCommandLine = "|livebuild.install";
      unitConfig.ConditionPathExists = "|/run/livebuild/install";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${install}/bin/livebuild-install --boot";
        StandardInput = "tty";
        StandardOutput = "tty";
        StandardError = "tty";
        TTYPath = "/dev/console";
        TimeoutStartSec = "infinity";
      };
    };
  };
}
