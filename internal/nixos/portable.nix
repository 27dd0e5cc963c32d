# A module that takes away what belongs to an installed system, in whose place a live one
# starts: its disks, its boot loaders, and what looks for its file systems.
#
# It overrides with the priority of nixpkgs' installers, so that lib.mkForce still
# has the last word.
{
  lib,
  options,
  ...
}:
let
  # lib.mkImageMediaOverride
  override = lib.mkOverride 60;

  # Every boot loader that this nixpkgs has. Renamed options are hidden.
  loaders = lib.filterAttrs (
    _: o: (o._type or null) != "option" && o ? enable && (o.enable.visible or true) != false
  ) options.boot.loader;

  # What only some configurations have.
  when = condition: settings: if condition then settings else { };
in
{
  _file = "livebuild's module for systems away from their disks";

  config = lib.mkMerge [
    {
      swapDevices = override [ ];
      boot.initrd.luks.devices = override { };
      boot.resumeDevice = override "";

      boot.loader = builtins.mapAttrs (_: _: { enable = override false; }) loaders // {
        timeout = override 10;
      };

      # What finds the medium on machines that the host is not.
      boot.initrd.availableKernelModules = [
        "ahci"
        "ehci_pci"
        "nvme"
        "sd_mod"
        "sr_mod"
        "uas"
        "usb_storage"
        "virtio_blk"
        "virtio_pci"
        "virtio_scsi"
        "xhci_pci"
      ];
    }

    # Modules that look for the file systems of the installed system.
    (when (options ? boot.initrd.clevis.enable) { boot.initrd.clevis.enable = override false; })
    (when (options ? boot.zfs.extraPools) { boot.zfs.extraPools = override [ ]; })
    (when (options ? services.btrfs.autoScrub.enable) {
      services.btrfs.autoScrub.enable = override false;
    })
    (when (options ? boot.lanzaboote.enable) { boot.lanzaboote.enable = override false; })
    (when (options ? disko.enableConfig) { disko.enableConfig = override false; })
    (when (options ? environment.persistence) { environment.persistence = override { }; })
  ];
}
