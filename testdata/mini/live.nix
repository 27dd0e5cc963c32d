# A live system that can install others: it has Nix, and starts livebuild-install as systemd
# would start its unit.
{ lib, pkgs, modulesPath, ... }:
{
  imports = [ (modulesPath + "/installer/cd-dvd/iso-image.nix") ];
  networking.hostName = "mini-live";
  boot.loader.timeout = lib.mkForce 1;
  isoImage = {
    volumeID = "MINI_INSTALL";
    makeEfiBootable = true;
    makeUsbBootable = true;
    appendToMenuLabel = " Live";
  };
  system.stateVersion = "26.05";
  environment.systemPackages = [ pkgs.tools ];
}
