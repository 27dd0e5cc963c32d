# What only the medium has. "livebuild iso --install .#example" adds the whole of the installed
# system, and livebuild-install, which installs it.
{
  lib,
  modulesPath,
  ...
}:
{
  imports = [ (modulesPath + "/installer/cd-dvd/installation-cd-minimal.nix") ];

  isoImage.edition = lib.mkForce "installer";
  isoImage.squashfsCompression = "zstd -Xcompression-level 19";

  services.getty.helpLine = lib.mkAfter ''
    "sudo livebuild-install" installs the system on a disk that you choose, and deletes what it holds.
  '';
}
