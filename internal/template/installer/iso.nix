# What only the medium has: the whole of the installed system, and the program that installs it.
{
  lib,
  modulesPath,
  pkgs,
  self,
  ...
}:
let
  system = self.nixosConfigurations.example.config.system.build.toplevel;

  install = pkgs.writeShellScriptBin "install-example" ''
    system=${system} flake=${self}
    ${builtins.readFile ./install.sh}
  '';
in
{
  imports = [ (modulesPath + "/installer/cd-dvd/installation-cd-minimal.nix") ];

  isoImage.edition = lib.mkForce "installer";
  isoImage.squashfsCompression = "zstd -Xcompression-level 19";
  isoImage.storeContents = [ system ];

  environment.systemPackages = [ install ];

  services.getty.helpLine = lib.mkAfter ''
    "sudo install-example /dev/sdX" installs the system on that disk, and deletes what it holds.
  '';
}
