# What only the live medium has.
{ modulesPath, ... }:
{
  imports = [ (modulesPath + "/installer/cd-dvd/installation-cd-minimal.nix") ];

  # How the store is compressed. Small and slow would be "zstd -Xcompression-level 19".
  isoImage.squashfsCompression = "zstd -Xcompression-level 6";

  # isoImage.volumeID = "EXAMPLE";
  # boot.kernelParams = [ "console=ttyS0,115200" ];
}
