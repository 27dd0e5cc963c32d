# What only the live medium has.
{ lib, modulesPath, ... }:
{
  # The parts of NixOS' graphical installers that all of them share: networks, drivers, GParted.
  imports = [ (modulesPath + "/installer/cd-dvd/installation-cd-graphical-base.nix") ];

  isoImage.edition = lib.mkForce "example";
  isoImage.squashfsCompression = "zstd -Xcompression-level 6";

  # Nobody is asked for a password.
  services.displayManager.autoLogin = {
    enable = true;
    user = "nixos";
  };
}
