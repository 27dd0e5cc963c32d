# What a configuration says about being installed from a medium: the system, how its disks
# are laid out, what it needs of the machine.
#
# Where the layout is known, the configuration is extended: its disks have names of their
# own below /dev/disk/livebuild, which livebuild-install makes links to the disks that are
# chosen. So a system depends on no disk of any machine. The layout is known of a
# configuration with disko (github:nix-community/disko), and of one whose file systems are
# a root and at most an EFI system partition, both found by a label.
{
  configurations,
  # The attribute to read, empty for the only one, and what it is called on the medium; null
  # stands for the name.
  name,
  as ? null,
  ...
}@asked:
let
  names = builtins.attrNames configurations;
  name = if asked.name == "" && builtins.length names == 1 then builtins.head names else asked.name;
  base = configurations.${name};
  failed = map (a: a.message) (builtins.filter (a: !a.assertion) (base.config.assertions or [ ]));

  refuse = kind: more: { error = more // { inherit kind name; }; };

  isNixOS = builtins.isAttrs base && base ? config.system.build.toplevel && base ? pkgs.stdenv.hostPlatform;

  folder = "/dev/disk/livebuild/";

  # Disks of disko.
  diskoDisks = builtins.attrNames (base.config.disko.devices.disk or { });
  hasDisko = diskoDisks != [ ] && base ? extendModules;

  # What is on disks, in the order of the mount points: a folder before what is in it.
  fileSystemsOf =
    c:
    map (
      point:
      let
        fs = c.fileSystems.${point};
      in
      {
        mountPoint = point;
        device = fs.device or null;
        fsType = fs.fsType or "auto";
        options = fs.options or [ ];
      }
    ) (builtins.attrNames (c.fileSystems or { }));

  onDisk =
    fs:
    fs.device != null
    && builtins.match "/.*" fs.device != null
    && !(builtins.elem fs.fsType [ "tmpfs" "ramfs" "overlay" "none" "proc" "sysfs" "nfs" "nfs4" "cifs" "9p" "virtiofs" ])
    && !(builtins.any (o: builtins.elem o [ "bind" "rbind" "noauto" "nofail" ]) fs.options);

  # The simple layout: labels by which it can be made.
  labelled = fs: builtins.match "/dev/disk/by-(part)?label/[A-Za-z0-9._-]+" fs.device != null;
  makers = pkgs: {
    ext4 = pkgs.e2fsprogs or null;
    ext3 = pkgs.e2fsprogs or null;
    btrfs = pkgs.btrfs-progs or null;
    xfs = pkgs.xfsprogs or null;
    f2fs = pkgs.f2fs-tools or null;
    vfat = pkgs.dosfstools or null;
  };
  simple =
    let
      all = builtins.filter onDisk (fileSystemsOf base.config);
      roots = builtins.filter (fs: fs.mountPoint == "/") all;
      rest = builtins.filter (fs: fs.mountPoint != "/") all;
      known = fs: (makers base.pkgs).${fs.fsType} or null != null;
    in
    builtins.length roots == 1
    && builtins.all (fs: labelled fs && known fs) all
    && builtins.all (fs: fs.fsType != "vfat" && !(builtins.any (o: builtins.match "subvol=.*" o != null) fs.options)) roots
    && (
      rest == [ ]
      || builtins.length rest == 1
      && builtins.all (fs: fs.fsType == "vfat" && builtins.elem fs.mountPoint [ "/boot" "/boot/efi" "/efi" ]) rest
    )
    && (base.config.boot.initrd.luks.devices or { }) == { }
    && (base.config.swapDevices or [ ]) == [ ];

  grubOf = c: c.boot.loader.grub or { };
  # Disks whose first sectors GRUB is written to.
  grubDevices =
    c:
    if (grubOf c).enable or false then
      builtins.filter (d: d != "nodev") ((grubOf c).devices or [ ])
    else
      [ ];
  isBIOS = grubDevices base.config != [ ];

  placeholder =
    { lib, ... }:
    if hasDisko then
      {
        disko.devices.disk = builtins.listToAttrs (
          map (disk: {
            name = disk;
            value.device = lib.mkOverride 10 (folder + disk);
          }) diskoDisks
        );
      }
    else
      { boot.loader.grub.devices = lib.mkOverride 10 [ (folder + "main") ]; };

  made = hasDisko || simple;
  target =
    if hasDisko || simple && isBIOS && base ? extendModules then
      base.extendModules { modules = [ placeholder ]; }
    else
      base;
  cfg = target.config;
  pkgs = target.pkgs;

  loaders = builtins.filter (l: cfg.boot.loader.${l}.enable or false) [
    "grub"
    "systemd-boot"
    "limine"
    "refind"
    "generic-extlinux-compatible"
    "raspberryPi"
    "external"
  ] ++ (if cfg.boot.lanzaboote.enable or false then [ "lanzaboote" ] else [ ]);

  touches = cfg.boot.loader.efi.canTouchEfiVariables or false;
  grub = grubOf cfg;
  firmware =
    if loaders == [ "grub" ] then
      if grubDevices base.config == [ ] then
        (if grub.efiSupport or false then "uefi" else "any")
      else if !(grub.efiSupport or false) then
        "bios"
      else if touches && !(grub.efiInstallAsRemovable or false) then
        "uefi"
      else
        "any"
    else if builtins.elem "systemd-boot" loaders || builtins.elem "lanzaboote" loaders then
      "uefi"
    else
      "any";

  # Whether someone can log in.
  users = builtins.attrValues (cfg.users.users or { });
  hasPassword =
    u:
    builtins.any (o: (u.${o} or null) != null) [
      "hashedPassword"
      "hashedPasswordFile"
      "passwordFile"
      "password"
      "initialPassword"
      "initialHashedPassword"
    ];
  hasKey = u: (u.openssh.authorizedKeys.keys or [ ]) != [ ] || (u.openssh.authorizedKeys.keyFiles or [ ]) != [ ];
  login =
    builtins.any hasPassword users
    || (cfg.services.openssh.enable or false) && builtins.any hasKey users
    || (cfg.services.getty.autologinUser or null) != null;

  fileSystems = builtins.filter onDisk (fileSystemsOf cfg);

  # What makes the file systems, and what mounts them. Until 1.9 disko had a script for each as a store path of its
  # own, which it has announced to remove in 2.0; since 1.10 there are packages with a program, which asks before it
  # deletes anything (lib/default.nix, _scripts and _destroy).
  diskoPackages =
    let
      inherit (cfg.system) build;
    in
    if !hasDisko then
      [ ]
    else if build ? destroyFormatMount then
      [
        build.destroyFormatMount
        build.mount
      ]
    else
      [
        build.diskoScript
        build.mountScript
      ];
  disko =
    if !hasDisko then
      null
    else
      let
        isPackage = cfg.system.build ? destroyFormatMount;
        program = p: if isPackage then "${p}/bin/${p.meta.mainProgram or p.name}" else "${p}";
      in
      {
        format = program (builtins.elemAt diskoPackages 0);
        formatArguments = if isPackage then [ "--yes-wipe-all-disks" ] else [ ];
        mount = program (builtins.elemAt diskoPackages 1);
        root = cfg.disko.rootMountPoint or "/mnt";
      };
  tools =
    if hasDisko || !simple then
      [ ]
    else
      map (t: "${t}") (
        builtins.attrValues (
          builtins.listToAttrs (
            map (fs: {
              name = fs.fsType;
              value = (makers pkgs).${fs.fsType};
            }) fileSystems
          )
        )
      );

  toplevel = "${cfg.system.build.toplevel}";
  roots =
    [ toplevel ]
    ++ tools
    ++ map (p: "${p}") diskoPackages;

  context = builtins.getContext (builtins.concatStringsSep "\n" roots);
  built = builtins.filter (n: context.${n} ? outputs || context.${n} ? allOutputs) (builtins.attrNames context);
in
if name == "" && names != [ ] then
  refuse "several" { inherit names; }
else if !(configurations ? ${name}) then
  refuse (if names == [ ] then "none" else "missing") { inherit names; }
else if !isNixOS then
  refuse "not-nixos" { found = "something else"; }
else if base ? config.isoImage then
  refuse "install-live" { }
else if failed != [ ] then
  refuse "assertions" { messages = failed; }
else
  {
    target = {
      name = if as == null then name else as;
      configuration = name;
      platform = target.pkgs.stdenv.hostPlatform.system;
      system = toplevel;
      drv = builtins.unsafeDiscardStringContext cfg.system.build.toplevel.drvPath;
      hostName = cfg.networking.hostName or "";
      label = cfg.system.nixos.label or "";
      distroName = cfg.system.nixos.distroName or "NixOS";
      stateVersion = cfg.system.stateVersion or "";
      inherit
        loaders
        firmware
        login
        tools
        disko
        ;
      mutableUsers = cfg.users.mutableUsers or true;
      touchesEFIVariables = touches && firmware != "bios";
      grubDevices = grubDevices base.config;
      disks =
        if hasDisko then
          map (disk: {
            name = disk;
            device = base.config.disko.devices.disk.${disk}.device or "";
          }) diskoDisks
        else if simple then
          [
            {
              name = "main";
              device = "";
            }
          ]
        else
          [ ];
      fileSystems = map (fs: { inherit (fs) mountPoint device fsType; }) fileSystems;
      swapDevices = builtins.filter (d: builtins.match "/dev/.*" d != null) (
        map (s: s.device or "") (cfg.swapDevices or [ ])
      );
      # Files of the machine that installs, which are put into the initrd.
      secrets = builtins.filter (s: builtins.match "/.*" s != null) (
        map (s: if s == null then "" else toString s) (builtins.attrValues (cfg.boot.initrd.secrets or { }))
      );
      inherit roots;
    };
    realise = builtins.listToAttrs (
      map (n: {
        name = n;
        value = if context.${n}.allOutputs or false then [ ] else context.${n}.outputs;
      }) built
    );
  }
