# What the live medium and the installed system share.
{ pkgs, ... }:
{
  nixpkgs.hostPlatform = "aarch64-linux";

  environment.systemPackages = with pkgs; [
    git
    neovim
  ];

  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];

  # Whoever has one of these keys gets in, as root.
  services.openssh.enable = true;
  users.users.root.openssh.authorizedKeys.keys = [
    # "ssh-ed25519 AAAA… you@home"
  ];

  # A machine of another kind builds what no cache has by emulation, as x86_64 does with
  #   boot.binfmt.emulatedSystems = [ "aarch64-linux" ];
  # or cross-compiles everything, which no cache has:
  # nixpkgs.buildPlatform = "x86_64-linux";

  # The serial console of most boards.
  boot.kernelParams = [
    "console=ttyAMA0,115200"
    "console=tty0"
  ];

  # Boards whose firmware brings no device tree, or an old one, get that of the kernel:
  # hardware.deviceTree.name = "freescale/fsl-lx2160a-clearfog-itx.dtb"; # SolidRun LX2K
  # boot.kernelParams = [ "arm-smmu.disable_bypass=0" ]; # and what else the board needs
}
