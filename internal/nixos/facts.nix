# Every fact that planning, building and writing an image needs, of a configuration
# with the ISO module.
#
# It serves every NixOS release since 22.05 and asks none for its version: what a
# release may lack is probed with `?` or has an `or` default. Single options are
# read only: whole option sets contain values that cannot be evaluated.
{
  # The configuration, as lib.nixosSystem returns it.
  base,
  name,
  # Whether livebuild has added the ISO module.
  extended,
  # Whether the medium can be checked before anything is started from it, and whether
  # stage 1 was given a unit for what is stamped onto it, and one for a medium in a file.
  mediaCheck,
  stampUnit,
  loopbackUnit,
  # How it is for Secure Boot: { shim, edit }; null if it is not.
  secureBoot,
  # How the live system keeps its files on the stick; "" for not.
  persistent,
  # The platform of the machine that builds; null if nothing is known of it.
  machine,
  # The other files here.
  files,
}:
let
  cfg = base.config;
  pkgs = base.pkgs;
  iso = cfg.isoImage;
  host = pkgs.stdenv.hostPlatform;
  build = pkgs.stdenv.buildPlatform or host;

  isX86 = host.isx86 or (builtins.match "(x86_64|i[3-6]86)-.*" host.system != null);

  bios = iso.makeBiosBootable or isX86;
  efi = iso.makeEfiBootable or false;

  # 32-bit firmware on a 64-bit processor: GRUB comes from the 32-bit packages.
  forcei686 = cfg.boot.loader.grub.forcei686 or false;
  grubPkgs = if forcei686 then pkgs.pkgsi686Linux else pkgs;

  # hostPlatform.efiArch is younger than 22.05.
  efiArch =
    if forcei686 then
      "ia32"
    else
      host.efiArch or ({
        x86_64-linux = "x64";
        i686-linux = "ia32";
        aarch64-linux = "aa64";
        armv7l-linux = "arm";
      }.${host.system} or (builtins.head (builtins.split "-" host.system)));

  optionalPath = value: if value == null then null else "${value}";

  # Device trees are a choice of the configuration: on ARM, hardware.deviceTree is
  # enabled by default, and firmware has its own. A name chooses one. Without a name,
  # who enables, filters or changes them wants to choose at boot. (1500 is the priority
  # of defaults.)
  deviceTreeOf =
    options: c:
    let
      tree = c.hardware.deviceTree or { };
      said = option: (options.hardware.deviceTree.${option}.highestPrio or 1500) < 1500;
      package = if isX86 || !(tree.enable or false) then null else tree.package or null;
      chosen = tree.name or null;
    in
    {
      deviceTree = if package == null || chosen == null then null else "${package}/${chosen}";
      deviceTrees =
        if package != null && chosen == null && builtins.any said [ "enable" "filter" "overlays" ] then
          "${package}"
        else
          null;
    };

  # What can be booted: the configuration, then its specialisations, depth first.

  configuration = path: c: {
    inherit path;
    toplevel = {
      drv = c.system.build.toplevel.drvPath;
      out = c.system.build.toplevel.outPath;
    };
    kernel = "${c.boot.kernelPackages.kernel}/${c.system.boot.loader.kernelFile}";
    kernelVersion = files.version c.boot.kernelPackages.kernel;
    initrd = "${c.system.build.initialRamdisk}/${c.system.boot.loader.initrdFile}";
    kernelParams = map toString c.boot.kernelParams;
    prependToMenuLabel = c.isoImage.prependToMenuLabel or "";
    distroName = c.system.nixos.distroName or "NixOS";
    label = c.system.nixos.label;
    appendToMenuLabel = c.isoImage.appendToMenuLabel or " Installer";
    configurationName = c.isoImage.configurationName or null;
    showConfiguration = c.isoImage.showConfiguration or true;
    volumeID = c.isoImage.volumeID;
  }
  // deviceTreeOf (base.options or { }) c;

  # A specialisation that does not inherit its parent may lack the ISO module:
  # its initrd could not find the medium, so it gets no entry.
  walk =
    path: c:
    (if c ? isoImage then [ (configuration path c) ] else [ ])
    ++ builtins.concatLists (
      builtins.attrValues (
        builtins.mapAttrs (n: s: walk (path ++ [ n ]) s.configuration) (c.specialisation or { })
      )
    );

  notLive =
    path: c:
    (if c ? isoImage then [ ] else [ path ])
    ++ builtins.concatLists (
      builtins.attrValues (
        builtins.mapAttrs (n: s: notLive (path ++ [ n ]) s.configuration) (c.specialisation or { })
      )
    );

  shown = walk [ ] cfg;

  memtest = cfg.boot.loader.grub.memtest86.enable or false;

  userContents = files.contents {
    config = cfg;
    options = base.options or { };
    targets = {
      file =
        [ "/version.txt" ]
        ++ (
          # Since 25.05 each configuration has its own kernel, at its store path.
          if iso ? showConfiguration then
            builtins.concatMap (c: [
              "/boot/${c.kernel}"
              "/boot/${c.initrd}"
            ]) shown
          else
            [
              "/boot/${cfg.system.boot.loader.kernelFile}"
              "/boot/${cfg.system.boot.loader.initrdFile}"
            ]
        )
        ++ (if bios then [ "/isolinux/isolinux.cfg" "/isolinux/background.png" ] else [ ])
        ++ (
          if efi then
            [
              "/boot/efi.img"
              "/boot/grub/loopback.cfg"
              "/EFI/boot/efi-background.png"
            ]
          else
            [ ]
        )
        ++ (if memtest && (bios || iso ? showConfiguration) then [ "/boot/memtest.bin" ] else [ ])
        # Up to 23.05 the store image was made apart, and was an entry like others.
        ++ (if cfg.system.build ? squashfsStore then [ "/nix-store.squashfs" ] else [ ]);
      directory =
        (if bios then [ "/isolinux" ] else [ ])
        ++ (if efi then [ "/EFI" "/boot/grub" ] else [ ])
        ++ (if (iso.grubTheme or null) != null then [ "/EFI/boot/grub-theme" ] else [ ]);
    };
  };
  contents = userContents.entries;

  storeContents = map (x: "${x}") (iso.storeContents or [ cfg.system.build.toplevel ]);

  # Boot programs and what they show.

  splashImage = if bios then optionalPath (iso.splashImage or null) else null;
  efiSplashImage = if efi then optionalPath (iso.efiSplashImage or null) else null;
  grubTheme = if efi then optionalPath (iso.grubTheme or null) else null;
  syslinux = if bios then "${pkgs.syslinux}" else null;

  grub =
    if efi then
      {
        package = "${grubPkgs.grub2_efi}";
        target = grubPkgs.grub2_efi.grubTarget;
        version = grubPkgs.grub2_efi.version or "";
        core = "${
          files.grub {
            builder = (files.machine { inherit pkgs machine; }).grub2_efi;
            system = if machine == null then build.system else machine;
            package = grubPkgs.grub2_efi;
            target = grubPkgs.grub2_efi.grubTarget;
            inherit mediaCheck;
            secured = if secureBoot == null then null else files.secureboot secureBoot;
            deviceTrees = builtins.any (c: c.showConfiguration && (c.deviceTree != null || c.deviceTrees != null)) shown;
          }
        }";
      }
    else
      null;

  refind =
    if efi && builtins.elem efiArch [ "x64" "aa64" ] && pkgs ? refind then
      "${pkgs.refind}/share/refind/refind_${efiArch}.efi"
    else
      null;

  memtest86 =
    if memtest && isX86 && (bios || efi) then
      {
        file = "${cfg.boot.loader.grub.extraFiles."memtest.bin" or "${pkgs.memtest86plus}/memtest.bin"}";
        params = map toString (cfg.boot.loader.grub.memtest86.params or [ ]);
        # Releases before 6 are programs for BIOS alone.
        efi = builtins.compareVersions (pkgs.memtest86plus.version or "0") "6" >= 0;
      }
    else
      null;

  # What must be in the store before the image can be written.
  needed = files.needed (
    [ "${cfg.system.build.toplevel}" ]
    ++ builtins.concatMap (
      c:
      [
        c.toplevel.out
        c.kernel
        c.initrd
      ]
      ++ c.kernelParams
      ++ builtins.filter (x: x != null) [
        c.deviceTree
        c.deviceTrees
      ]
    ) shown
    ++ storeContents
    ++ map (x: x.source) contents
    ++ builtins.filter (x: x != null) (
      [
        splashImage
        efiSplashImage
        grubTheme
        syslinux
        refind
      ]
      ++ (if grub == null then [ ] else [ grub.package grub.core ])
      ++ (if memtest86 == null then [ ] else [ memtest86.file ])
    )
  );

  system = {
    inherit name extended;
    inherit (builtins) storeDir;
    hostName = cfg.networking.hostName or "";
    platform = host.system;
    buildPlatform = build.system;
    inherit efiArch isX86;

    distroID = cfg.system.nixos.distroId or "nixos";
    distroName = cfg.system.nixos.distroName or "NixOS";
    label = cfg.system.nixos.label;
    release = cfg.system.nixos.release or "";

    # Since 25.05 isoImage.isoName is another name of image.fileName, which is made
    # of image.baseName and image.extension. The image is image.filePath of the
    # build's output.
    imageName =
      let
        made = "${cfg.image.baseName}.${cfg.image.extension or "iso"}";
        fileName = cfg.image.fileName or made;
        filePath = cfg.image.filePath or "iso/${fileName}";
      in
      if !(cfg ? image.baseName) then
        iso.isoName or "nixos.iso"
      else if filePath == "iso/${fileName}" then
        fileName
      else
        baseNameOf filePath;
    volumeID = iso.volumeID;
    # null means uncompressed.
    squashfsCompression = iso.squashfsCompression or "zstd";
    compressImage = iso.compressImage or false;
    includeSystemBuildDependencies = iso.includeSystemBuildDependencies or false;

    makeBiosBootable = bios;
    makeEfiBootable = efi;
    makeUsbBootable = iso.makeUsbBootable or false;

    # It replaced graphicalGrub, which meant the opposite.
    forceTextMode = iso.forceTextMode or (!(iso.graphicalGrub or true));
    timeout = cfg.boot.loader.timeout or null;
    syslinuxTheme = iso.syslinuxTheme or "";
    inherit
      splashImage
      efiSplashImage
      grubTheme
      syslinux
      grub
      refind
      memtest86
      ;

    inherit mediaCheck persistent stampUnit secureBoot;
    systemdInitrd = cfg.boot.initrd.systemd.enable or false;
    # Where stage 1 looks for the medium.
    isoDevice = cfg.fileSystems."/iso".device or null;
    # Whether it was given a unit that makes a disk of a file there.
    loopbackUnit =
      loopbackUnit
      && system.systemdInitrd
      && builtins.match "/dev/disk/by-label/.*" (toString system.isoDevice) != null;

    configurations = shown;
    inherit contents storeContents;
    inherit (needed) realise sources;

    warnings =
      (cfg.warnings or [ ])
      ++ map (
        path:
        "specialisation ${builtins.concatStringsSep "." path} does not import the ISO image module and gets no menu entry"
      ) (notLive [ ] cfg);
  };

in
{
  inherit system;
  inherit (userContents) clashes;
}
