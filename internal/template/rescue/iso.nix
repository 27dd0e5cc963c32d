# What only the stick has.
{
  lib,
  modulesPath,
  pkgs,
  ...
}:
{
  imports = [ (modulesPath + "/installer/cd-dvd/installation-cd-minimal.nix") ];

  isoImage.edition = lib.mkForce "rescue";
  isoImage.squashfsCompression = "zstd -Xcompression-level 6";

  environment.systemPackages = with pkgs; [
    cryptsetup
    ddrescue
    dmidecode
    gptfdisk
    lm_sensors
    nvme-cli
    pciutils
    rsync
    smartmontools
    testdisk
    tmux
    usbutils
  ];

  # Whatever the machine is.
  hardware.enableRedistributableFirmware = true;
  boot.supportedFilesystems = [
    "btrfs"
    "ntfs"
    "xfs"
  ];
  # Memory is tested from the boot menu.
  boot.loader.grub.memtest86.enable = true;

  # The newest kernel, for the newest hardware, without ZFS, which may be behind.
  # boot.kernelPackages = pkgs.linuxPackages_latest;
  # boot.supportedFilesystems.zfs = lib.mkForce false;

  # A fixed address, where nobody gives one. Or for one image alone:
  #   livebuild iso .#exampleIso --static-ip eth0=192.0.2.10/24,gw=192.0.2.1,dns=192.0.2.53
  # networking = {
  #   usePredictableInterfaceNames = false;
  #   interfaces.eth0.ipv4.addresses = [ { address = "192.0.2.10"; prefixLength = 24; } ];
  #   defaultGateway = "192.0.2.1";
  #   nameservers = [ "192.0.2.53" ];
  # };
}
