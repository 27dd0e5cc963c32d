# A system to be installed: its toplevel has what installs its boot loader, and starts from a
# disk. The closure holds Nix.
{
  lib,
  config,
  pkgs,
  ...
}:
let
  kernel = "${config.boot.kernelPackages.kernel}/${config.system.boot.loader.kernelFile}";
  # What a change of settings makes anew, as nixpkgs marks it, of what no installed system needs to run.
  renderer = pkgs.build "mini-renderer" { } "mkdir -p $out/bin; echo 'echo \"$1 is rendered\"' > $out/bin/render";
  etc = pkgs.build "mini-etc" {
    inherit (config.networking) hostName;
    preferLocalBuild = true;
    allowSubstitutes = false;
  } "mkdir $out; sh ${renderer}/bin/render $hostName > $out/hostname";
  initrd = "${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}";
in
{
  networking.hostName = "mini-target";
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/BOOT";
    fsType = "vfat";
  };
  boot.loader.grub.enable = true;
  boot.loader.grub.devices = [ "/dev/vda" ];
  boot.loader.grub.efiSupport = true;
  boot.loader.grub.efiInstallAsRemovable = true;
  boot.kernelParams = [ "root=LABEL=nixos" "mini.disk" ];
  users.users.root.initialPassword = "mini";

  system.build.toplevel = lib.mkForce (
    pkgs.build "nixos-system-${config.networking.hostName}-${config.system.nixos.label}" { preferLocalBuild = true; allowSubstitutes = false; } ''
      mkdir -p $out/bin
      fill() {
        sed "s|@bash@|${pkgs.tools}|; s|@tools@|${pkgs.tools}|g; s|@busybox@|${pkgs.busybox}|g; s|@out@|$out|g
          s|@devices@|${toString config.boot.loader.grub.devices}|; s|@kernel@|${kernel}|; s|@initrd@|${initrd}|
          s|@system@|$out|; s|@params@|${toString config.boot.kernelParams}|" $1 > $2
        chmod 755 $2
      }
      fill ${./install/switch-to-configuration.sh} $out/bin/switch-to-configuration
      fill ${./install/stage2.sh} $out/init
      {
        echo '#!${pkgs.busybox}/bin/sh'
        echo "${pkgs.busybox}/bin/ln -sfn $out /run/current-system"
      } > $out/activate
      chmod 755 $out/activate
      ln -s ${pkgs.tools} $out/sw
      ln -s ${etc} $out/etc
      ln -s ${kernel} $out/kernel
      ln -s ${initrd} $out/initrd
      echo ${toString pkgs.fetched} > $out/fetched
    ''
  );
}
