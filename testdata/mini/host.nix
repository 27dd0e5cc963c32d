# A host that is installed on a disk: its configuration never heard of ISO images.
{ pkgs, ... }:
{
  networking.hostName = "mini-host";
  boot.loader.grub.enable = true;
  boot.loader.systemd-boot.enable = true;
  boot.loader.timeout = 3;
  boot.initrd.luks.devices.root.device = "/dev/disk/by-uuid/absent";
  fileSystems."/" = {
    device = "/dev/mapper/root";
    fsType = "ext4";
  };
  fileSystems."/home".device = "/dev/disk/by-label/home";
  swapDevices = [ { device = "/dev/disk/by-label/swap"; } ];
  services.openssh.settings.PermitRootLogin = "no";
  environment.systemPackages = import ./packages.nix pkgs;
}
