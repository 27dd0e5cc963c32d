# What only the installed system has.
{
  networking.hostName = "example";

  # livebuild-install makes file systems with these labels. Or, of the machine itself:
  # put in the hardware-configuration.nix that "nixos-generate-config --root /mnt" writes, and
  #   imports = [ ./hardware-configuration.nix ];
  # in the place of these.
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/boot";
    fsType = "vfat";
  };

  boot.loader.systemd-boot.enable = true;
  boot.loader.efi.canTouchEfiVariables = true;

  # "passwd" gives the password that stays.
  users.users.me = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
    initialPassword = "change me";
  };

  # The NixOS that was installed first. It stays when NixOS is upgraded.
  system.stateVersion = "26.05";
}
