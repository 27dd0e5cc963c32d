# What only the live medium has. It starts by UEFI: as a disc, or as a stick.
{ modulesPath, ... }:
{
  imports = [ (modulesPath + "/installer/cd-dvd/installation-cd-minimal.nix") ];

  isoImage.squashfsCompression = "zstd -Xcompression-level 6";

  hardware.enableRedistributableFirmware = true;
}
