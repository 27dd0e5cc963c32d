# A live image outside of flakes: NixOS finds its modules by <nixpkgs>. Its only menu
# entry is a specialisation, and it has files of its own beside the boot loaders'.
{
  lib,
  pkgs,
  modulesPath,
  ...
}:
let
  files = pkgs.build "mini-files" { } ''
    mkdir -p $out/directory
    echo one > $out/directory/file
    ln -s directory/file $out/link
    ln -s /run/absent $out/dangling
    ln -s .. $out/directory/loop
  '';
in
{
  imports = [ (modulesPath + "/installer/cd-dvd/iso-image.nix") ];
  isoImage = {
    volumeID = "MINI_CLASSIC";
    makeEfiBootable = true;
    makeUsbBootable = true;
    compressImage = true;
    showConfiguration = false;
    contents = [
      {
        source = files;
        target = "/EFI";
      }
      {
        source = files;
        target = "isolinux/";
      }
      {
        source = "${files}/directory/file";
        target = "/a/deep/place.txt";
      }
    ];
  };
  specialisation.quiet.configuration = {
    isoImage.showConfiguration = lib.mkForce true;
    isoImage.configurationName = "Quiet";
    boot.kernelParams = [ "mini.quiet" ];
  };
  environment.systemPackages = import ./packages.nix pkgs;
}
