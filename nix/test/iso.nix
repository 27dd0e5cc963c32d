# What the test makes live. The driver reaches it as it reaches all machines of tests.
{ lib, modulesPath, ... }:
{
  imports = [
    (modulesPath + "/installer/cd-dvd/iso-image.nix")
    (modulesPath + "/profiles/minimal.nix")
    (modulesPath + "/testing/test-instrumentation.nix")
  ];
  networking.hostName = "live";
  isoImage = {
    makeEfiBootable = true;
    makeUsbBootable = true;
    squashfsCompression = "zstd -Xcompression-level 3";
  };
  system.stateVersion = lib.trivial.release;
}
